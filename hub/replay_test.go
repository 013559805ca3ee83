package hub_test

import (
	"errors"
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

func (c *client) subscribeSince(channel, since string) {
	c.conn.Subscribe(hub.Request{Channel: channel, Since: hub.ParseSince([]string{since}, []string{channel})[0]})
}

// published publishes the numbers from one to another to channel a and returns their positions.
func published(t *testing.T, b bus.Bus, from, to int) []string {
	t.Helper()
	var ids []string
	for n := from; n <= to; n++ {
		ids = append(ids, bustest.Publish(t, b, bustest.Number("a", n))[0].ID.String())
	}
	return ids
}

func events(from, to int) []string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, fmt.Sprintf("event a %d", n))
	}
	return list
}

func TestResume(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		ids := published(t, b, 1, 200)
		for _, c := range []struct {
			since string
			want  []string
		}{
			{"", []string{"subscribed a @200"}},
			{ids[199], []string{"subscribed recovered a @200"}},
			{ids[198], append([]string{"subscribed recovered a @199"}, events(200, 200)...)},
			{ids[0], append([]string{"subscribed recovered a @1"}, events(2, 200)...)},
			{"start", append([]string{"subscribed a @0"}, events(1, 200)...)},
			{"nonsense", []string{"subscribed not-recovered a @200", "reset a unknown @200"}},
			{strings.Replace(ids[9], "-10-", "-11-", 1), []string{"subscribed not-recovered a @200", "reset a diverged @200"}},
			{ids[9][:len(ids[9])-6] + "xxxxxx", []string{"subscribed not-recovered a @200", "reset a diverged @200"}},
			{"1-999-xxxxxx", []string{"subscribed not-recovered a @200", "reset a diverged @200"}},
		} {
			alice := connect(t, h, everything)
			alice.subscribeSince("a", c.since)
			want(t, alice, c.want...)
			alice.conn.Gone(event.ReasonClientClosed)
		}
		bob := connect(t, h, everything)
		bob.subscribeSince("a", ids[150])
		carol := connect(t, h, everything)
		carol.subscribeSince("b", ids[3]) // a channel without history of its own
		synctest.Wait()
		published(t, b, 201, 210)
		want(t, bob, append([]string{"subscribed recovered a @151"}, events(152, 210)...)...)
		want(t, carol, "subscribed not-recovered b @0", "reset b unknown @0")
	})
}

// Reads are shared: a thousand clients that come back at once cost a few.
func TestThousandsResumeAtOnce(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		ids := published(t, b, 1, 300)
		b.set(func() { b.resumes, b.resumeLag = 0, time.Millisecond })
		var clients []*client
		for i := range 1000 {
			c := connect(t, h, everything)
			c.subscribeSince("a", ids[i%300])
			clients = append(clients, c)
		}
		time.Sleep(time.Minute)
		for i, c := range clients {
			want(t, c, append([]string{fmt.Sprintf("subscribed recovered a @%d", i%300+1)}, events(i%300+2, 300)...)...)
		}
		if n := b.resumeCount(); n > 30 {
			t.Errorf("%d reads of history for a thousand clients", n)
		}
	})
}

// However many keep coming from far behind, nobody has to wait until they end.
func TestLatecomersHoldUpNobody(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		ids := published(t, b, 1, 300)
		connect(t, h, everything).subscribe("a")
		synctest.Wait()
		b.set(func() { b.resumeLag = 10 * time.Millisecond })
		bob := connect(t, h, everything)
		for n := range 200 {
			late := connect(t, h, everything)
			late.subscribeSince("a", []string{ids[0], "start"}[n%2])
			if n == 20 {
				bob.subscribeSince("a", ids[250])
			}
			time.Sleep(5 * time.Millisecond)
		}
		want(t, bob, append([]string{"subscribed recovered a @251"}, events(252, 300)...)...)
	})
}

// While history cannot be read, those that come meanwhile wait for one and the
// same attempt.
func TestAttemptsAreShared(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		ids := published(t, b, 1, 10)
		connect(t, h, everything).subscribe("a")
		synctest.Wait()
		b.set(func() { b.resumes, b.resumeErr = 0, errors.New("no") })
		for range 300 {
			connect(t, h, everything).subscribeSince("a", ids[3])
			time.Sleep(100 * time.Millisecond)
		}
		if n := b.resumeCount(); n > 20 {
			t.Errorf("%d attempts in half a minute", n)
		}
		b.set(func() { b.resumeErr = nil })
		alice := connect(t, h, everything)
		alice.subscribeSince("a", ids[8])
		time.Sleep(6 * time.Second)
		want(t, alice, "subscribed recovered a @9", "event a 10")
	})
}

// A client that reads slowly is told the past at its own pace, while events
// flow, with a bounded queue.
func TestSlowReplay(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		ids := published(t, b, 1, 1000)
		cathy := connect(t, h, everything)
		cathy.mu.Lock()
		cathy.pace = 10
		cathy.mu.Unlock()
		cathy.subscribeSince("a", ids[0])
		var got []string
		next := 1001
		for len(got) < 1200 {
			synctest.Wait()
			frames := cathy.take()
			if len(frames) > 40 {
				t.Fatalf("%d frames waited for a client with room for 10", len(frames))
			}
			got = append(got, frames...)
			cathy.conn.Drained()
			if next <= 1200 {
				published(t, b, next, next+1)
				next += 2
			}
			time.Sleep(time.Millisecond)
		}
		expected := append([]string{"subscribed recovered a @1"}, events(2, 1200)...)
		if !slices.Equal(got, expected) {
			t.Errorf("got %q", got)
		}
	})
}

// While it is read slowly, history is trimmed past the reader.
func TestTrimmedUnderTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFaultyBus(bus.Retention{Size: 100, TTL: time.Hour, PositionTTL: time.Hour})
		h := hub.New(b, hub.Options{})
		synctest.Wait()
		ids := published(t, b, 1, 100)
		cathy := connect(t, h, everything)
		cathy.mu.Lock()
		cathy.pace = 5
		cathy.mu.Unlock()
		cathy.subscribeSince("a", ids[0])
		synctest.Wait()
		first := cathy.take()
		published(t, b, 101, 400)
		cathy.mu.Lock()
		cathy.pace = 0
		cathy.mu.Unlock()
		cathy.conn.Drained()
		synctest.Wait()
		if last := first[len(first)-1]; last != fmt.Sprintf("event a %d", len(first)) {
			t.Errorf("begins with %q", first)
		}
		want(t, cathy, "reset a trimmed @400")
		published(t, b, 401, 401)
		want(t, cathy, "event a 401")
		h.Close()
		b.Close()
	})
}

// A relay whose topic lags behind history lets a client go on from there, and
// when it finds itself in another history it does not take the client with it.
func TestLaggingTopicResetsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFaultyBus(bus.Retention{Size: 5, TTL: time.Hour, PositionTTL: time.Hour})
		h := hub.New(b, hub.Options{AuditEvery: 1000 * time.Hour})
		synctest.Wait()
		alice := connect(t, h, everything)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		b.set(func() { b.hear = func(bus.Delivery) []bus.Delivery { return nil } })
		ids := published(t, b, 1, 20) // none of which this relay hears
		bob, carol := connect(t, h, everything), connect(t, h, everything)
		bob.subscribeSince("a", ids[17]) // from another relay
		carol.subscribeSince("a", ids[2])
		want(t, bob, append([]string{"subscribed recovered a @18"}, events(19, 20)...)...)
		want(t, carol, "subscribed not-recovered a @20", "reset a trimmed @20")
		b.set(func() { b.hear = nil })
		published(t, b, 21, 21)
		want(t, alice, "reset a trimmed @21")
		want(t, bob, "event a 21")
		want(t, carol, "event a 21")
		published(t, b, 22, 22)
		for _, c := range []*client{alice, bob, carol} {
			want(t, c, "event a 22")
		}
		h.Close()
		b.Close()
	})
}

// A replay can bring a client past events that its relay has not heard yet.
// What history does not keep and is heard before them came before them.
func TestTransientIsNotToldAfterLaterEvents(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice, bob := connect(t, h, everything), connect(t, h, everything)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		var late []bus.Delivery
		b.set(func() {
			b.hear = func(d bus.Delivery) []bus.Delivery {
				late = append(late, d)
				return nil
			}
		})
		quick := bustest.Number("a", 99)
		quick.Transient = true
		first := published(t, b, 1, 1)[0]
		bustest.Publish(t, b, quick)
		published(t, b, 2, 2)
		bob.subscribeSince("a", first)
		want(t, bob, "subscribed recovered a @1", "event a 2")
		b.set(func() { b.hear = nil })
		for _, d := range late {
			b.hub.Deliver(d)
		}
		want(t, alice, "event a 1", "event a 99", "event a 2")
		want(t, bob)
		quick.Data = []byte("100")
		bustest.Publish(t, b, quick)
		want(t, bob, "event a 100")
	})
}

// While a failover goes on, a replay can read from the old master what the new
// one never had. What the topic then hears from the new one has the next
// number and does not follow; the client must not be taken across silently.
func TestReplayFromAnOldMaster(t *testing.T) {
	for _, c := range []struct {
		name  string
		heard string // where the topic stands when the replay has read
	}{{"the replay is ahead of the topic", "later"}, {"the topic is ahead of the replay", "meanwhile"}} {
		t.Run(c.name, func(t *testing.T) {
			withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
				alice, bob := connect(t, h, everything), connect(t, h, everything)
				alice.subscribe("a")
				want(t, alice, "subscribed a @0")
				ids := published(t, b, 1, 2)
				want(t, alice, "event a 1", "event a 2")
				past := func(data string, offset uint64, id, previous event.Position) bus.Delivery {
					id.Offset = offset
					return bus.Delivery{Event: &event.Event{Channel: "a", Name: "n", Data: []byte(data), ID: id}, Previous: previous.Tag}
				}
				one, two := position(t, ids[0]), position(t, ids[1])
				kept, lost := past("2", 2, two, one), past("99", 3, event.Position{Time: two.Time, Tag: event.NewTag()}, two)
				b.set(func() {
					b.resumeGap = time.Second
					b.answer = func(bus.From) *bus.Page {
						b.set(func() { b.answer = nil })
						return &bus.Page{Recovered: true, Head: lost.Event.ID, Oldest: one, Events: []bus.Delivery{kept, lost}}
					}
				})
				bob.subscribeSince("a", ids[0])
				told := []string{"subscribed recovered a @1", "event a 2", "event a 99"}
				if c.heard == "later" {
					time.Sleep(time.Minute)
					want(t, bob, told...)
					told = nil
				}
				published(t, b, 3, 4)
				time.Sleep(time.Minute)
				want(t, bob, append(told, "reset a unknown @4")...)
				published(t, b, 5, 5)
				want(t, alice, "event a 3", "event a 4", "event a 5")
				want(t, bob, "event a 5")
			})
		})
	}
}

func position(t *testing.T, id string) event.Position {
	t.Helper()
	p, err := event.ParsePosition(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A cursor names every channel that the client has a place in, told or not.
func TestCursorKeepsPlacesThatAreNotToldYet(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		first := published(t, b, 1, 3)
		alice := &cursors{client: client{room: -1}}
		conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: alice, Format: withCursor{}})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, h, everything).subscribe("b") // so that b is live at once
		synctest.Wait()
		b.set(func() { b.resumeLag = time.Minute })
		since := hub.ParseSince([]string{first[0], ""}, []string{"a", "b"})
		conn.Subscribe(hub.Request{Channel: "a", Since: since[0]}, hub.Request{Channel: "b", Since: since[1]})
		synctest.Wait()
		last := alice.heads[len(alice.heads)-1]
		cursor, err := event.ParseCursor(last)
		if err != nil {
			t.Fatalf("cursor %q: %v", last, err)
		}
		if at, ok := cursor.Find(event.HashChannel("a")); !ok || at.String() != first[0] {
			t.Errorf("the cursor %q has lost the place in a", last)
		}
	})
}

// However events are dropped, doubled, delayed and reordered on the way, and
// however often clients leave and come back, each sees every event once.
func TestAnyFaultHealsForThoseWhoResume(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) { resumeStory(t, seed, h, b) })
		})
	}
}

// traveller is a client that keeps what it saw over many connections.
type traveller struct {
	*client
	seen []int
	at   string
}

func resumeStory(t *testing.T, seed uint64, h *hub.Hub, b *faultyBus) {
	dice := rand.New(rand.NewPCG(seed, 2))
	b.set(func() {
		b.resumeLag = time.Duration(dice.IntN(20)) * time.Millisecond
		b.resumeGap = time.Duration(dice.IntN(20)) * time.Millisecond
		b.hear = func(d bus.Delivery) []bus.Delivery {
			switch dice.IntN(12) {
			case 0:
				return nil
			case 1:
				return []bus.Delivery{d, d}
			}
			return []bus.Delivery{d}
		}
	})
	positions := map[int]string{0: "start"}
	var travellers []*traveller
	for range 5 {
		travellers = append(travellers, &traveller{at: "start"})
	}
	const last = 400
	for n := 1; n <= last; n++ {
		for _, tr := range travellers {
			switch {
			case tr.client == nil && dice.IntN(5) == 0:
				tr.client = connect(t, h, everything)
				if dice.IntN(2) == 0 {
					tr.client.mu.Lock()
					tr.client.pace = 1 + dice.IntN(5)
					tr.client.mu.Unlock()
				}
				tr.subscribeSince("a", tr.at)
			case tr.client != nil && dice.IntN(20) == 0:
				tr.leave(t, positions)
			case tr.client != nil:
				tr.look(t, positions)
			}
		}
		if dice.IntN(50) == 0 {
			b.hub.Listening("a")
		}
		positions[n] = bustest.Publish(t, b, bustest.Number("a", n))[0].ID.String()
		time.Sleep(time.Duration(dice.IntN(5)) * time.Millisecond)
	}
	b.set(func() { b.hear = nil })
	b.hub.Listening("a")
	for _, tr := range travellers {
		if tr.client == nil {
			tr.client = connect(t, h, everything)
			tr.subscribeSince("a", tr.at)
		}
	}
	for range 20_000 {
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		behind := false
		for _, tr := range travellers {
			tr.look(t, positions)
			behind = behind || len(tr.seen) < last
		}
		if !behind {
			break
		}
	}
	for i, tr := range travellers {
		if len(tr.seen) != last {
			t.Errorf("traveller %d saw %d events of %d, the last %v", i, len(tr.seen), last, tr.seen[max(0, len(tr.seen)-3):])
		}
	}
}

// look reads what has come and checks that it continues what was seen.
func (tr *traveller) look(t *testing.T, positions map[int]string) {
	t.Helper()
	for _, frame := range tr.take() {
		var n int
		switch {
		case strings.HasPrefix(frame, "subscribed"):
		case strings.HasPrefix(frame, "event"):
			if _, err := fmt.Sscanf(frame, "event a %d", &n); err != nil || n != len(tr.seen)+1 {
				t.Fatalf("after %d events: %q", len(tr.seen), frame)
			}
			tr.seen = append(tr.seen, n)
			tr.at = positions[n]
		default:
			t.Fatalf("after %d events: %q", len(tr.seen), frame)
		}
	}
	tr.conn.Drained()
}

func (tr *traveller) leave(t *testing.T, positions map[int]string) {
	t.Helper()
	tr.look(t, positions)
	tr.conn.Gone(event.ReasonClientClosed)
	tr.client = nil
}
