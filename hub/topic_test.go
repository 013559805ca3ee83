package hub_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"relay/auth"
	"relay/bus"
	"relay/bus/bustest"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

// faultyBus stands between a hub and a membus and lets a test decide what the
// hub hears and when: faults of timing that a real Redis cannot be made to
// show on demand.
type faultyBus struct {
	*membus.Bus
	hub bus.Receiver

	mu        sync.Mutex
	held      bool                              // confirmations wait
	waiting   []string                          // channels whose confirmation waits
	hear      func(bus.Delivery) []bus.Delivery // what becomes of a delivery; nil: itself
	resumeErr error
	resumeLag time.Duration // how long it takes until history is read
	resumeGap time.Duration // how long the answer takes
	resumes   int
	// answer may answer in the authority's place, as a master does that does
	// not know yet that another has taken over; nil, or a nil page: it does not.
	answer func(bus.From) *bus.Page
	deaf   bool // nobody hears what is published without history
}

var _ bus.Bus = (*faultyBus)(nil)

func newFaultyBus(keep bus.Retention) *faultyBus {
	return &faultyBus{Bus: membus.New(bus.Everywhere(keep))}
}

func (f *faultyBus) Attach(r bus.Receiver) {
	f.hub = r
	f.Bus.Attach(f)
}

func (f *faultyBus) Deliver(d bus.Delivery) {
	f.mu.Lock()
	hear := f.hear
	f.mu.Unlock()
	list := []bus.Delivery{d}
	if hear != nil && d.Event.Channel[0] != '_' {
		list = hear(d)
	}
	for _, d := range list {
		f.hub.Deliver(d)
	}
}

func (f *faultyBus) Listening(channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held {
		f.waiting = append(f.waiting, channel)
		return
	}
	f.hub.Listening(channel)
}

func (f *faultyBus) ListenFailed(channel string, err error) { f.hub.ListenFailed(channel, err) }

func (f *faultyBus) Dropped(reason event.Reason) { f.hub.Dropped(reason) }

func (f *faultyBus) Resume(ctx context.Context, channel string, from bus.From, limit int) (bus.Page, error) {
	f.mu.Lock()
	err, lag, gap, answer := f.resumeErr, f.resumeLag, f.resumeGap, f.answer
	f.resumes++
	f.mu.Unlock()
	time.Sleep(lag)
	if err != nil {
		return bus.Page{}, err
	}
	if answer != nil {
		if page := answer(from); page != nil {
			time.Sleep(gap)
			return *page, nil
		}
	}
	page, err := f.Bus.Resume(ctx, channel, from, limit)
	time.Sleep(gap)
	return page, err
}

func (f *faultyBus) Publish(ctx context.Context, batch []bus.Publication) []bus.Receipt {
	f.mu.Lock()
	deaf := f.deaf
	f.mu.Unlock()
	if deaf && batch[0].Transient {
		return make([]bus.Receipt, len(batch))
	}
	return f.Bus.Publish(ctx, batch)
}

func (f *faultyBus) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// confirm lets the confirmations go that wait.
func (f *faultyBus) confirm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = false
	for _, channel := range f.waiting {
		f.hub.Listening(channel)
	}
	f.waiting = nil
}

func (f *faultyBus) resumeCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.resumes
}

func withFaults(t *testing.T, test func(*testing.T, *hub.Hub, *faultyBus)) {
	t.Helper()
	// No audit: it would heal what a test wants to see healed otherwise.
	withAudit(t, 1000*time.Hour, test)
}

func withAudit(t *testing.T, every time.Duration, test func(*testing.T, *hub.Hub, *faultyBus)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newFaultyBus(bus.Retention{Size: 100_000, TTL: time.Hour, PositionTTL: 2 * time.Hour})
		h := hub.New(b, hub.Options{AuditEvery: every})
		synctest.Wait()
		test(t, h, b)
		h.Close()
		b.Close()
	})
}

func TestSubscribedOnlyAfterConfirmation(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		b.set(func() { b.held = true })
		alice := connect(t, h, everything)
		alice.subscribe("a")
		bustest.Publish(t, b, bustest.Number("a", 1))
		want(t, alice)
		b.confirm()
		want(t, alice, "subscribed a @1")
		bustest.Publish(t, b, bustest.Number("a", 2))
		want(t, alice, "event a 2")
	})
}

func TestJoinTimesOut(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice, bob := connect(t, h, everything), connect(t, h, everything)
		bob.subscribe("b")
		want(t, bob, "subscribed b @0")
		b.set(func() { b.held = true })
		alice.subscribe("a")
		bob.subscribe("a")
		time.Sleep(12 * time.Second)
		want(t, alice, "error a unavailable", "goodbye unavailable")
		want(t, bob, "error a unavailable") // it has another channel to live for
		b.confirm()
		bob.subscribe("a")
		want(t, bob, "subscribed a @0")
	})
}

// What is heard while history is read is neither lost nor told twice.
func TestHeldWhileAligning(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		b.set(func() { b.resumeGap = time.Second })
		alice := connect(t, h, everything)
		alice.subscribe("a")
		synctest.Wait()
		quick := bustest.Number("a", 2)
		quick.Transient = true
		bustest.Publish(t, b, bustest.Number("a", 1), quick, bustest.Number("a", 3))
		want(t, alice)
		time.Sleep(time.Second)
		want(t, alice, "subscribed a @0", "event a 1", "event a 2", "event a 3")
		if n := b.resumeCount(); n != 1 {
			t.Errorf("%d reads of history, want 1", n)
		}
	})
}

// An event that was published before the head was read and arrives after it
// is already behind the subscribed frame.
func TestLateDeliveriesAreNotTold(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		var late []bus.Delivery
		b.set(func() {
			b.hear = func(d bus.Delivery) []bus.Delivery { late = append(late, d); return nil }
			b.resumeGap = time.Second
		})
		b.Listen("a") // so that membus delivers before the hub has joined
		synctest.Wait()
		bustest.Publish(t, b, bustest.Number("a", 1), bustest.Number("a", 2), bustest.Number("a", 3))
		b.Unlisten("a")
		alice := connect(t, h, everything)
		alice.subscribe("a")
		time.Sleep(2 * time.Second)
		want(t, alice, "subscribed a @3")
		for _, d := range late {
			b.hub.Deliver(d)
		}
		time.Sleep(10 * time.Second)
		want(t, alice)
		b.set(func() { b.hear = nil })
		bustest.Publish(t, b, bustest.Number("a", 4))
		time.Sleep(10 * time.Second)
		want(t, alice, "event a 4")
	})
}

func TestGapHeals(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice := connect(t, h, everything)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		b.set(func() { b.hear = func(bus.Delivery) []bus.Delivery { return nil } })
		bustest.Publish(t, b, bustest.Number("a", 1), bustest.Number("a", 2))
		want(t, alice)
		b.set(func() { b.hear = func(d bus.Delivery) []bus.Delivery { return []bus.Delivery{d, d} } })
		bustest.Publish(t, b, bustest.Number("a", 3))
		want(t, alice, "event a 1", "event a 2", "event a 3")
		bustest.Publish(t, b, bustest.Number("a", 4))
		want(t, alice, "event a 4")

		// Lost without a successor to show it: the bus says that it listens anew.
		b.set(func() { b.hear = func(bus.Delivery) []bus.Delivery { return nil } })
		bustest.Publish(t, b, bustest.Number("a", 5))
		b.hub.Listening("a")
		want(t, alice, "event a 5")
	})
}

func TestResets(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice := connect(t, h, everything)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		bustest.Publish(t, b, bustest.Number("a", 1))
		want(t, alice, "event a 1")

		// Another history, as after a failover that lost writes: the next
		// event has the right number and the wrong predecessor.
		other := event.Position{Time: 1, Offset: 2, Tag: event.NewTag()}
		b.hub.Deliver(bus.Delivery{Event: &event.Event{Channel: "a", Name: "n", Data: []byte("99"), ID: other}, Previous: event.NewTag()})
		want(t, alice) // the authority knows nothing of it
		time.Sleep(3 * time.Hour)
		bustest.Publish(t, b, bustest.Number("a", 2))
		want(t, alice, "reset a diverged @1")
		bustest.Publish(t, b, bustest.Number("a", 3))
		want(t, alice, "event a 3")
	})
}

// The last event of a channel is lost on the way: nothing comes after it that
// would show a hole.
func TestAuditFindsWhatNothingShows(t *testing.T) {
	withAudit(t, 30*time.Second, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice := connect(t, h, everything)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		b.set(func() { b.hear = func(bus.Delivery) []bus.Delivery { return nil } })
		bustest.Publish(t, b, bustest.Number("a", 1))
		want(t, alice)
		time.Sleep(65 * time.Second)
		want(t, alice, "event a 1")
	})
}

// However long a channel is quiet, its subscribers lose nothing.
func TestQuietChannelIsNotForgotten(t *testing.T) {
	withAudit(t, 30*time.Second, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice := connect(t, h, everything)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		bustest.Publish(t, b, bustest.Number("a", 1))
		want(t, alice, "event a 1")
		time.Sleep(100 * time.Hour)
		bustest.Publish(t, b, bustest.Number("a", 2))
		want(t, alice, "event a 2")
	})
}

// An event without history that was heard before others that history has
// brought meanwhile would come out of order.
func TestHeldTransientsKeepTheOrder(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice := connect(t, h, everything)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		b.set(func() { b.hear = func(bus.Delivery) []bus.Delivery { return nil } })
		bustest.Publish(t, b, bustest.Number("a", 1))
		b.set(func() { b.hear, b.resumeLag = nil, time.Second })
		quick := bustest.Number("a", 3)
		quick.Transient = true
		bustest.Publish(t, b, bustest.Number("a", 2), quick, bustest.Number("a", 4))
		time.Sleep(time.Second)
		want(t, alice, "event a 1", "event a 2", "event a 4")
	})
}

// The same for who has just come: it was told to begin after an event that an
// event without history came before.
func TestTransientBeforeTheBeginning(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		b.set(func() { b.resumeLag = time.Second })
		alice := connect(t, h, everything)
		alice.subscribe("a")
		synctest.Wait()
		early, late := bustest.Number("a", 1), bustest.Number("a", 3)
		early.Transient, late.Transient = true, true
		bustest.Publish(t, b, early, bustest.Number("a", 2), late)
		time.Sleep(2 * time.Second)
		want(t, alice, "subscribed a @1", "event a 3")
	})
}

func TestReadOfHistoryIsTriedAgain(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice := connect(t, h, everything)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		b.set(func() { b.resumeErr = errors.New("no") })
		b.hub.Listening("a")
		bustest.Publish(t, b, bustest.Number("a", 1))
		time.Sleep(time.Minute)
		want(t, alice)
		b.set(func() { b.resumeErr = nil })
		time.Sleep(10 * time.Second)
		want(t, alice, "event a 1")
	})
}

func TestRefusedByTheBus(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		b.set(func() { b.held = true })
		alice := connect(t, h, everything)
		alice.subscribe("a")
		synctest.Wait()
		b.hub.ListenFailed("a", errors.New("NOPERM"))
		want(t, alice, "error a unavailable", "goodbye unavailable")
	})
}

// The channel's topic is given up while some subscriptions are live, some come
// and some go.
func TestRefusedWhileInUse(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		alice, bob, carol := connect(t, h, everything), connect(t, h, everything), connect(t, h, everything)
		alice.subscribe("a")
		bob.subscribe("a", "b")
		synctest.Wait()
		alice.take()
		bob.take()
		b.hub.ListenFailed("a", errors.New("NOPERM"))
		carol.subscribe("a")
		alice.conn.Gone(event.ReasonClientClosed)
		synctest.Wait()
		bob.conn.Subscribe(hub.Request{Channel: "a"})
		b.Unlisten("a")
		b.Listen("a")
		synctest.Wait()
		carol.take()
		bustest.Publish(t, b, bustest.Number("b", 1))
		synctest.Wait()
		if got := bob.take(); !slices.Contains(got, "event b 1") {
			t.Errorf("got %q", got)
		}
	})
}

// Everything heard before a read of history was begun is covered by it: a
// thousand stale events must not cost a thousand reads.
func TestStaleEventsCostFewReads(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		b.set(func() { b.resumeLag, b.resumeGap = 50*time.Millisecond, 50*time.Millisecond })
		alice := connect(t, h, everything)
		alice.subscribe("a")
		synctest.Wait()
		for n := range 300 {
			bustest.Publish(t, b, bustest.Number("a", n))
		}
		time.Sleep(10 * time.Second)
		want(t, alice, "subscribed a @300")
		if n := b.resumeCount(); n > 3 {
			t.Errorf("%d reads of history", n)
		}
		bustest.Publish(t, b, bustest.Number("a", 300))
		want(t, alice, "event a 300")
	})
}

// An order of which the bus lost track is never called complete, but this
// relay's own clients are disconnected.
func TestDisconnectWhileDeaf(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		b.set(func() { b.deaf = true })
		alice := connect(t, h, auth.Grant{User: "alice", Subscribe: []event.Pattern{"*"}})
		d, err := h.Disconnect(t.Context(), hub.Target{User: "alice"}, "")
		if err != nil || d.Complete || d.Connections != 1 {
			t.Errorf("%+v, %v", d, err)
		}
		want(t, alice, "goodbye disconnected")
	})
}

func TestControlChannelIsAskedForAgain(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		b.Unlisten("_control")
		b.hub.ListenFailed("_control", errors.New("NOPERM"))
		time.Sleep(10 * time.Second)
		if census, err := h.Census(t.Context(), "a"); err != nil || !census.Complete {
			t.Errorf("%+v, %v", census, err)
		}
	})
}

// A client that named its channels in its address is sent away rather than
// left with less than it asked for; one that asks by frames can ask again.
func TestNamedChannelsAreHadOrTheClientComesBack(t *testing.T) {
	for named, frames := range map[bool][]string{
		true:  {"error b unavailable", "goodbye unavailable"},
		false: {"error b unavailable"},
	} {
		withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
			alice := connect(t, h, everything)
			alice.conn.Subscribe(hub.Request{Channel: "a", Named: named})
			want(t, alice, "subscribed a @0")
			b.set(func() { b.held = true })
			alice.conn.Subscribe(hub.Request{Channel: "b", Named: named})
			time.Sleep(12 * time.Second)
			want(t, alice, frames...)
		})
	}
}

// Whatever is dropped, doubled, delayed or heard out of order on the way, each
// client sees every event from its subscribed frame on, once and in order.
func TestAnyFaultHeals(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) { faultStory(t, seed, h, b) })
		})
	}
}

func faultStory(t *testing.T, seed uint64, h *hub.Hub, b *faultyBus) {
	dice := rand.New(rand.NewPCG(seed, 1))
	var stash []bus.Delivery
	b.set(func() {
		b.resumeLag = time.Duration(dice.IntN(30)) * time.Millisecond
		b.resumeGap = time.Duration(dice.IntN(30)) * time.Millisecond
		b.hear = func(d bus.Delivery) []bus.Delivery {
			switch dice.IntN(10) {
			case 0:
				return nil
			case 1:
				return []bus.Delivery{d, d}
			case 2:
				stash = append(stash, d)
				return nil
			case 3:
				list := append([]bus.Delivery{d}, stash...)
				stash = nil
				return list
			}
			return []bus.Delivery{d}
		}
	})
	const events = 300
	var clients []*client
	for n := 1; n <= events; n++ {
		if dice.IntN(20) == 0 {
			c := connect(t, h, everything)
			c.subscribe("a")
			clients = append(clients, c)
		}
		if dice.IntN(30) == 0 {
			b.hub.Listening("a")
		}
		bustest.Publish(t, b, bustest.Number("a", n))
		time.Sleep(time.Duration(dice.IntN(10)) * time.Millisecond)
	}
	b.set(func() { b.hear = nil })
	b.hub.Listening("a")
	time.Sleep(10 * time.Second)
	synctest.Wait()
	for i, c := range clients {
		frames := c.take()
		var from int
		if _, err := fmt.Sscanf(frames[0], "subscribed a @%d", &from); err != nil {
			t.Fatalf("client %d begins with %q", i, frames[0])
		}
		var expected []string
		for n := from + 1; n <= events; n++ {
			expected = append(expected, fmt.Sprintf("event a %d", n))
		}
		if !slices.Equal(frames[1:], expected) {
			t.Fatalf("client %d, subscribed at %d, got %q", i, from, frames[1:])
		}
	}
}
