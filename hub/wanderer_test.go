package hub_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/event"
	"relay/hub"
)

// Whatever is lost of a channel, in Redis or on the way, and however clients
// come and go, none is told of one event after another that does not follow
// it, unless a reset stands between them, and no reset without a loss.
func TestAnyLossIsTold(t *testing.T) {
	for seed := range uint64(120) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { lossStory(t, seed) })
		})
	}
}

func lossStory(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 4))
	b := newLostBus(seed)
	h := hub.New(b, hub.Options{Workers: 2, AuditEvery: time.Duration(1+dice.IntN(15)) * time.Second})
	defer h.Close()
	synctest.Wait()
	var all []*wanderer
	for range 8 {
		all = append(all, &wanderer{t: t, hub: h, bus: b, dice: dice})
	}
	for n := range 400 {
		for _, w := range all {
			w.act()
		}
		// Few of the stories lose much, or nothing of interest comes between.
		switch dice.IntN(60 * (1 + int(seed%4))) {
		case 0:
			b.lose(1 + dice.IntN(5))
		case 1:
			b.flush()
		case 2, 3:
			b.trim(1 + dice.IntN(10))
		case 4:
			if err := b.Delete(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		case 5, 6, 7:
			b.hub.Listening("a")
		}
		for range dice.IntN(4) {
			p := bus.Publication{Channel: "a", Name: "n", Data: fmt.Append(nil, n), Transient: dice.IntN(5) == 0}
			for _, w := range all {
				if w.client != nil && dice.IntN(12) == 0 {
					p.Exclude = append(p.Exclude, w.conn.ID())
				}
			}
			if p.Transient {
				p.Data = fmt.Append(nil, "\"", event.NewTag(), "\"")
			}
			b.Publish(t.Context(), []bus.Publication{p})
		}
		time.Sleep(time.Duration(dice.IntN(6)) * time.Millisecond)
	}
	b.settle()
	for _, w := range all {
		if w.client == nil {
			w.come()
		}
	}
	for range 2000 {
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		for _, w := range all {
			w.look()
		}
	}
	for i, w := range all {
		w.mustBeAtTheHead(i)
	}
}

// A topic that is in a history that was lost is told so by those who come to
// replay, and they do not read again and again until somebody else tells it.
func TestReplayFindsThatTheTopicIsElsewhere(t *testing.T) {
	inLostBus(t, func(t *testing.T, h *hub.Hub, b *lostBus) {
		alice, bob := connect(t, h, everything), connect(t, h, everything)
		alice.subscribe("a")
		soon(t, alice, "subscribed a @0")
		for n := range 10 {
			bustest.Publish(t, b, bustest.Number("a", n+1))
		}
		soon(t, alice, events(1, 10)...)
		b.lose(2)
		before := b.readCount()
		bob.subscribeSince("a", b.head.id.String())
		time.Sleep(10 * time.Second)
		soon(t, bob, "subscribed recovered a @8")
		soon(t, alice, "reset a diverged @8")
		if n := b.readCount() - before; n > 5 {
			t.Errorf("%d reads of history", n)
		}
		bustest.Publish(t, b, bustest.Number("a", 9))
		soon(t, alice, "event a 9")
		soon(t, bob, "event a 9")
	})
}

// A client was told by history what its relay never heard, and what is lost
// afterwards. The relay's own position is good: nothing shows that the
// client's is not, unless somebody looks.
func TestLostAheadOfTheTopic(t *testing.T) {
	inLostBus(t, func(t *testing.T, h *hub.Hub, b *lostBus) {
		alice, bob, carol := connect(t, h, everything), connect(t, h, everything), connect(t, h, everything)
		alice.subscribe("a")
		soon(t, alice, "subscribed a @0")
		time.Sleep(time.Second)
		since := bustest.Publish(t, b, bustest.Number("a", 1), bustest.Number("a", 2))[0].ID.String()
		soon(t, alice, events(1, 2)...)
		b.deafen(func() { bustest.Publish(t, b, bustest.Number("a", 3)) })
		bob.subscribeSince("a", since)
		soon(t, bob, "subscribed recovered a @1", "event a 2", "event a 3")
		b.lose(1)
		time.Sleep(2 * time.Minute) // an audit
		soon(t, bob, "reset a diverged @2")

		b.deafen(func() { bustest.Publish(t, b, bustest.Number("a", 3)) })
		carol.subscribeSince("a", since)
		soon(t, carol, "subscribed recovered a @1", "event a 2", "event a 3")
		b.lose(1)
		bustest.Publish(t, b, bustest.Number("a", 3)) // another one
		soon(t, carol, "reset a diverged @3")
		soon(t, bob, "event a 3")
		soon(t, alice, "event a 3")
	})
}

// A history that began here and lost its end is not a forgotten one.
func TestCauseInAHistoryThatBeganHere(t *testing.T) {
	inLostBus(t, func(t *testing.T, h *hub.Hub, b *lostBus) {
		alice, bob := connect(t, h, everything), connect(t, h, everything)
		alice.subscribe("a")
		soon(t, alice, "subscribed a @0")
		bustest.Publish(t, b, bustest.Number("a", 1))
		var since string
		b.deafen(func() { since = bustest.Publish(t, b, bustest.Number("a", 2))[0].ID.String() })
		b.lose(1)
		bustest.Publish(t, b, bustest.Number("a", 2))
		soon(t, alice, events(1, 2)...)
		bob.subscribeSince("a", since)
		soon(t, bob, "subscribed not-recovered a @2", "reset a diverged @2")
	})
}

// What a client was not meant to hear is no loss to it: it goes on from what it
// was told.
func TestLossOfWhatWasNotForTheClient(t *testing.T) {
	inLostBus(t, func(t *testing.T, h *hub.Hub, b *lostBus) {
		alice, bob := connect(t, h, everything), connect(t, h, everything)
		alice.subscribe("a")
		bob.subscribe("a")
		soon(t, alice, "subscribed a @0")
		soon(t, bob, "subscribed a @0")
		notForAlice := func(n int) bus.Publication {
			p := bustest.Number("a", n)
			p.Exclude = []string{alice.conn.ID()}
			return p
		}
		bustest.Publish(t, b, bustest.Number("a", 1))
		bustest.Publish(t, b, notForAlice(2), notForAlice(3))
		soon(t, alice, "event a 1")
		soon(t, bob, events(1, 3)...)
		b.lose(2)
		bustest.Publish(t, b, bustest.Number("a", 2))
		soon(t, alice, "event a 2")
		soon(t, bob, "reset a diverged @2")
	})
}

// soon is want for a bus that takes its time.
func soon(t *testing.T, c *client, frames ...string) {
	t.Helper()
	time.Sleep(time.Second)
	want(t, c, frames...)
}

func inLostBus(t *testing.T, test func(*testing.T, *hub.Hub, *lostBus)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newLostBus(1)
		b.calm = true
		h := hub.New(b, hub.Options{})
		defer h.Close()
		synctest.Wait()
		test(t, h, b)
	})
}

// wanderer is a client that leaves and comes back, and judges what it is told.
type wanderer struct {
	t    *testing.T
	hub  *hub.Hub
	bus  *lostBus
	dice *rand.Rand

	*client
	before string   // the connection before this one
	at     *moment  // what it was told last; nil: nothing yet
	asked  *moment  // what the subscription that is not answered yet goes on from
	state  string   // "", "asked" or "told"
	log    []string // of all frames
}

// act does one thing that a client can do, mostly nothing but read.
func (w *wanderer) act() {
	switch n := w.dice.IntN(40); {
	case w.client == nil:
		if n < 8 {
			w.come()
		}
	case n == 0:
		w.look()
		w.before = w.conn.ID()
		w.conn.Gone(event.ReasonClientClosed)
		w.client, w.state, w.asked = nil, "", nil
	case n == 1:
		w.look()
		w.conn.Unsubscribe("a", "")
		w.look()
		w.state, w.asked = "", nil
		w.subscribe()
	default:
		w.look()
	}
}

func (w *wanderer) come() {
	w.client = &client{room: -1}
	if w.dice.IntN(2) == 0 {
		w.pace = 1 + w.dice.IntN(5)
	}
	conn, err := w.hub.Connect(hub.Newcomer{Grant: everything, Resumes: w.before, Sink: w.client, Format: exact{}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.conn = conn
	w.subscribe()
}

func (w *wanderer) subscribe() {
	since := ""
	switch n := w.dice.IntN(10); {
	case n == 0:
		w.at = nil
	case n == 1:
		w.at, since = nil, "start"
	case w.at != nil:
		since = w.at.id.String()
	}
	w.asked, w.state = w.at, "asked"
	w.log = append(w.log, "since "+since)
	w.client.subscribeSince("a", since)
}

// look judges what has come.
func (w *wanderer) look() {
	w.t.Helper()
	for _, frame := range w.take() {
		w.log = append(w.log, frame)
		w.judge(strings.Fields(frame))
	}
	w.conn.Drained()
}

func (w *wanderer) judge(words []string) {
	w.t.Helper()
	switch words[0] {
	case "welcome", "unsubscribed":
		return
	case "transient":
		w.judgeTransient(words[1])
		return
	case "subscribed", "reset", "event":
	default:
		w.fail("not expected")
	}
	id, err := event.ParsePosition(words[1])
	m := w.bus.moment(id)
	if err != nil || m == nil {
		w.fail("no such position")
	}
	switch {
	case words[0] == "subscribed" && w.state != "asked", words[0] != "subscribed" && w.state != "told":
		w.fail("out of turn")
	case words[0] == "subscribed":
		w.state = "told"
		switch answer := strings.Join(words[2:], ""); {
		case w.asked == nil && answer != "", w.asked != nil && answer == "":
			w.fail("recovered goes with a cursor")
		case answer == "true" && m != w.asked:
			w.fail("recovered elsewhere")
		case answer == "false":
			return // a reset follows
		}
	case words[0] == "reset":
		w.judgeReset(event.ResetCause(words[2]))
	case !m.follows(w.at, w.isExcluded):
		w.fail("it does not follow the one before")
	case w.isExcluded(m):
		w.fail("it was not meant for this client")
	}
	w.at = m
}

func (w *wanderer) judgeReset(cause event.ResetCause) {
	w.t.Helper()
	w.bus.mu.Lock()
	defer w.bus.mu.Unlock()
	lost := w.at.dead
	for m := range w.bus.truthAfter(w.at) {
		lost = lost || m.gone || m.dead && !w.isExcluded(m)
	}
	switch {
	case !lost:
		w.fail("nothing was lost")
	case cause == event.ResetUnknown && w.bus.flushes == 0:
		w.fail("nothing was ever forgotten")
	}
}

// truthAfter goes through the events that ever followed a moment.
func (b *lostBus) truthAfter(at *moment) func(func(*moment) bool) {
	return func(yield func(*moment) bool) {
		for _, m := range b.truth {
			if m != at && m.follows(at, func(*moment) bool { return true }) && !yield(m) {
				return
			}
		}
	}
}

// judgeTransient: an event without history may be lost, but is not told after
// one that was published later.
func (w *wanderer) judgeTransient(data string) {
	w.t.Helper()
	w.bus.mu.Lock()
	defer w.bus.mu.Unlock()
	if w.at.turn > w.bus.said[data] {
		w.fail("it was published before the event told last")
	}
}

func (w *wanderer) isExcluded(m *moment) bool {
	return slices.Contains(m.exclude, w.conn.ID()) || w.before != "" && slices.Contains(m.exclude, w.before)
}

func (w *wanderer) mustBeAtTheHead(i int) {
	w.t.Helper()
	head := w.bus.moment(w.bus.Heads(w.t.Context(), []string{"a"})["a"])
	if head == nil || w.at == head || w.at != nil && w.isExcluded(head) && head.follows(w.at, w.isExcluded) {
		return
	}
	w.t.Errorf("wanderer %d stands at %+v and not at the head %+v; last it was told %q", i, w.at, head, w.log[max(0, len(w.log)-12):])
}

func (w *wanderer) fail(law string) {
	w.t.Helper()
	w.t.Fatalf("%s, last of: %q", law, w.log[max(0, len(w.log)-12):])
}
