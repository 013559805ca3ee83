package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"relay/auth"
	"relay/bus"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

// leaver is a client that goes when it is told to, as a transport does.
type leaver struct {
	client
	left time.Time
}

func (l *leaver) Close(reason event.Reason, text string, last []byte) {
	l.client.Close(reason, text, last)
	l.left = time.Now()
	go l.conn.Gone(reason)
}

func crowd(t *testing.T, h *hub.Hub, n int) (all []*leaver) {
	t.Helper()
	for range n {
		l := &leaver{client: client{room: -1}}
		var err error
		if l.conn, err = h.Connect(hub.Newcomer{Grant: everything, Sink: l, Format: plain{}}); err != nil {
			t.Fatal(err)
		}
		l.take()
		all = append(all, l)
	}
	return all
}

func wantState(t *testing.T, h *hub.Hub, state hub.DrainState, connections int) {
	t.Helper()
	synctest.Wait()
	if s := h.DrainStatus(); s.State != state || s.Connections != connections {
		t.Errorf("%s with %d connections, want %s with %d", s.State, s.Connections, state, connections)
	}
}

func TestDrain(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		var clients []*client
		for range 100 {
			clients = append(clients, connect(t, h, everything))
		}
		begin := time.Now()
		done := h.Drain(hub.DrainPlan{Window: 500 * time.Millisecond, Patience: time.Minute})
		time.Sleep(250*time.Millisecond + time.Microsecond)
		synctest.Wait()
		released := 0
		for _, c := range clients {
			if c.closedFor() == event.ReasonDraining {
				released++
			}
		}
		if released != 51 {
			t.Errorf("%d of 100 were released in half the window", released)
		}
		if err := h.Admits(); !errors.Is(err, hub.ErrDraining) {
			t.Errorf("while draining Admits says %v", err)
		}
		time.Sleep(time.Second)
		for _, c := range clients {
			if got := c.take(); !slices.Equal(got, []string{"goodbye draining"}) {
				t.Fatalf("got %q", got)
			}
			c.conn.Gone(event.ReasonClientClosed)
		}
		<-done
		if took := time.Since(begin); took != 1250*time.Millisecond+time.Microsecond {
			t.Errorf("drained after %v, not when the last one was gone", took)
		}
	})
}

func TestDrainOfNobodyIsQuick(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		begin := time.Now()
		<-h.Drain(hub.DrainPlan{Window: time.Hour, Patience: time.Hour})
		if took := time.Since(begin); took > 0 {
			t.Errorf("a hub without connections took %v to drain", took)
		}
	})
}

func TestBriskDrainOfFewIsQuick(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		crowd(t, h, 3)
		begin := time.Now()
		<-h.Drain(hub.DrainPlan{Window: time.Hour, Patience: time.Hour, Brisk: true})
		if took := time.Since(begin); took > time.Second {
			t.Errorf("a hub with three connections took %v to drain", took)
		}
	})
}

// The states, for a relay that is not part of a rollout.
func TestDrainStates(t *testing.T) {
	inBubble(t, hub.Options{Generation: "a"}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		wantState(t, h, hub.DrainServing, 0)
		if !h.DrainStatus().Deadline.IsZero() || h.Draining() {
			t.Error("a deadline before anybody asked")
		}
		first := crowd(t, h, 10)
		begin := time.Now()
		plan := hub.DrainPlan{Delay: 5 * time.Second, Hold: time.Hour, Window: 20 * time.Second, Patience: time.Second}
		done := h.Drain(plan)
		wantState(t, h, hub.DrainWaiting, 10)
		if want := begin.Add(time.Hour + 21*time.Second); !h.DrainStatus().Deadline.Equal(want) {
			t.Errorf("the deadline is %v, want %v", h.DrainStatus().Deadline, want)
		}
		if err := h.Admits(); err != nil || !h.Draining() {
			t.Errorf("while waiting: %v", err)
		}
		late := crowd(t, h, 10)
		time.Sleep(5 * time.Second)
		wantState(t, h, hub.DrainReleasing, 19)
		if again := h.Drain(hub.DrainPlan{}); again != done {
			t.Error("a second drain is another one")
		}
		<-done
		wantState(t, h, hub.DrainDrained, 0)
		if took := time.Since(begin); took != 24*time.Second {
			t.Errorf("drained after %v, want 24 s: twenty clients, one a second", took)
		}
		for i, l := range slices.SortedFunc(slices.Values(append(first, late...)), func(a, b *leaver) int { return a.left.Compare(b.left) }) {
			if at := l.left.Sub(begin); at != time.Duration(5+i)*time.Second {
				t.Errorf("client %d was released after %v", i, at)
			}
		}
	})
}

// A client that never goes is not waited for beyond the patience.
func TestDrainEndsWithoutTheLastOne(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		c := connect(t, h, everything)
		begin := time.Now()
		<-h.Drain(hub.DrainPlan{Window: time.Second, Patience: 2 * time.Second})
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		wantState(t, h, hub.DrainDrained, 1)
		c.conn.Gone(event.ReasonClientClosed)
	})
}

// Pollers come and go. Each is released once, in a moment of its own.
func TestDrainOfVisitors(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		const visitors, window = 400, 10 * time.Second
		visit := func(name string) error {
			c := &client{room: -1}
			conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: c, Format: plain{}, Visit: name})
			if err != nil {
				return err
			}
			time.Sleep(200 * time.Millisecond)
			conn.Gone(event.ReasonClientClosed)
			if c.closedFor() == event.ReasonDraining {
				return hub.ErrDraining
			}
			return nil
		}
		var refused sync.WaitGroup
		gone := make([]time.Time, visitors)
		for i := range visitors {
			refused.Go(func() {
				for visit(fmt.Sprint(i)) == nil {
					time.Sleep(10 * time.Millisecond)
				}
				gone[i] = time.Now()
			})
		}
		time.Sleep(time.Second)
		begin := time.Now()
		<-h.Drain(hub.DrainPlan{Window: window, Patience: time.Second})
		if took := time.Since(begin); took < window || took > window+time.Second {
			t.Errorf("it took %v", took)
		}
		refused.Wait()
		var quarter [4]int
		for _, at := range gone {
			quarter[min(3, at.Sub(begin)/(window/4))]++
		}
		for _, n := range quarter {
			if n < visitors/8 || n > visitors*3/8 {
				t.Errorf("released by quarters of the window: %v", quarter)
			}
		}
	})
}

// exchange is a bus between hubs, for what relays say to each other.
type exchange struct {
	mu      sync.Mutex
	members []*member
	away    bool
	asked   int // questions so far
}

type member struct {
	bus.Bus // what is not overridden must not be called
	x       *exchange
	hears   bus.Receiver
	wants   map[string]bool
	frozen  bool // it is sent everything and says nothing
}

func (x *exchange) join() *member {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := &member{x: x, wants: make(map[string]bool)}
	x.members = append(x.members, m)
	return m
}

func (m *member) Attach(r bus.Receiver) { m.hears = r }

func (m *member) Listen(channel string) {
	m.x.mu.Lock()
	m.wants[channel] = true
	m.x.mu.Unlock()
	m.hears.Listening(channel)
}

func (m *member) Unlisten(string) {}

func (m *member) Heads(context.Context, []string) map[string]event.Position { return nil }

func (m *member) Publish(_ context.Context, batch []bus.Publication) []bus.Receipt {
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	if m.x.away {
		return []bus.Receipt{{Err: bus.ErrUnavailable}}
	}
	if batch[0].Name == "question" {
		m.x.asked++
	}
	heard := 0
	for _, other := range m.x.members {
		if !other.wants[batch[0].Channel] {
			continue
		}
		heard++
		if !other.frozen {
			other.hears.Deliver(bus.Delivery{Event: &event.Event{Channel: batch[0].Channel, Name: batch[0].Name, Data: batch[0].Data}})
		}
	}
	return []bus.Receipt{{Receivers: heard}}
}

// leave is a member whose process has ended.
func (m *member) leave() {
	m.x.mu.Lock()
	defer m.x.mu.Unlock()
	clear(m.wants)
}

// fleet is some relays of two generations in a bubble.
func fleet(t *testing.T, test func(t *testing.T, x *exchange, old, young []*hub.Hub)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := &exchange{}
		var all []*hub.Hub
		for _, generation := range []string{"a", "a", "a", "b", "b", "b"} {
			all = append(all, hub.New(x.join(), hub.Options{Generation: generation}))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		test(t, x, all[:3], all[3:])
		for _, h := range all {
			h.Close()
		}
	})
}

var rollout = hub.DrainPlan{Delay: 5 * time.Second, Hold: 90 * time.Second, Window: 20 * time.Second, Patience: time.Second}

// Nobody is released as long as an old relay takes clients.
func TestRollout(t *testing.T) {
	fleet(t, func(t *testing.T, _ *exchange, old, _ []*hub.Hub) {
		var clients []*leaver
		for _, h := range old {
			clients = append(clients, crowd(t, h, 40)...)
		}
		begin := time.Now()
		var done []<-chan struct{}
		for i, h := range old {
			done = append(done, h.Drain(rollout))
			time.Sleep(10 * time.Second)
			if i < 2 {
				wantState(t, h, hub.DrainHolding, 40)
			}
		}
		if _, err := old[0].Connect(hub.Newcomer{Sink: &client{}, Format: plain{}}); !errors.Is(err, hub.ErrDraining) {
			t.Errorf("a relay that holds takes a stream: %v", err)
		}
		for _, d := range done {
			<-d
		}
		last := begin.Add(25 * time.Second) // the third relay has waited
		for _, l := range clients {
			if l.left.Before(last) || l.left.After(last.Add(22*time.Second)) {
				t.Errorf("a client was released after %v", l.left.Sub(begin))
			}
		}
	})
}

// An old relay that does not begin to leave costs the others no more than the
// hold of their plan; one that dies, nothing.
func TestHoldEnds(t *testing.T) {
	releasedAfter := func(t *testing.T, h *hub.Hub) time.Duration {
		clients := crowd(t, h, 1)
		begin := time.Now()
		<-h.Drain(rollout)
		return clients[0].left.Sub(begin)
	}
	t.Run("by the plan", func(t *testing.T) {
		fleet(t, func(t *testing.T, _ *exchange, old, _ []*hub.Hub) {
			if at := releasedAfter(t, old[0]); at != rollout.Hold {
				t.Errorf("released after %v", at)
			}
		})
	})
	t.Run("old relays die", func(t *testing.T) {
		fleet(t, func(t *testing.T, x *exchange, old, _ []*hub.Hub) {
			time.AfterFunc(20*time.Second, func() {
				x.members[1].leave()
				x.members[2].leave()
			})
			if at := releasedAfter(t, old[0]); at < 20*time.Second || at > 22*time.Second {
				t.Errorf("released after %v", at)
			}
		})
	})
	t.Run("old relays freeze", func(t *testing.T) {
		fleet(t, func(t *testing.T, x *exchange, old, _ []*hub.Hub) {
			x.mu.Lock()
			x.members[1].frozen, x.members[2].frozen = true, true
			x.mu.Unlock()
			if at := releasedAfter(t, old[0]); at < rollout.Delay || at > rollout.Delay+20*time.Second {
				t.Errorf("released after %v", at)
			}
		})
	})
	t.Run("the bus is away", func(t *testing.T) {
		fleet(t, func(t *testing.T, x *exchange, old, _ []*hub.Hub) {
			x.mu.Lock()
			x.away = true
			x.mu.Unlock()
			if at := releasedAfter(t, old[0]); at != rollout.Delay {
				t.Errorf("released after %v", at)
			}
		})
	})
	t.Run("no rollout", func(t *testing.T) {
		fleet(t, func(t *testing.T, x *exchange, old, _ []*hub.Hub) {
			for _, m := range x.members[3:] {
				m.leave()
			}
			if at := releasedAfter(t, old[0]); at != rollout.Delay {
				t.Errorf("released after %v", at)
			}
		})
	})
}

// All that hold ask all there are, so many ask less often.
func TestManyAskLessOften(t *testing.T) {
	const relays, hold = 81, 19 * time.Second // which is two seconds between questions
	synctest.Test(t, func(t *testing.T) {
		x := &exchange{}
		var all []*hub.Hub
		for i := range relays {
			generation := "b"
			if i < 2 {
				generation = "a"
			}
			all = append(all, hub.New(x.join(), hub.Options{Generation: generation, Workers: 1}))
		}
		synctest.Wait() // all hear each other
		crowd(t, all[0], 1)
		<-all[0].Drain(hub.DrainPlan{Hold: hold, Patience: time.Second})
		if x.asked != 10 {
			t.Errorf("asked %d times in %v, want 10", x.asked, hold)
		}
		for _, h := range all {
			h.Close()
		}
	})
}

func TestMaxAge(t *testing.T) {
	const age = time.Hour
	inBubble(t, hub.Options{MaxAge: age}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		clients := crowd(t, h, 200)
		begin := time.Now()
		time.Sleep(age + time.Second)
		wantState(t, h, hub.DrainServing, 0)
		early := 0
		for _, l := range clients {
			at := l.left.Sub(begin)
			if at < age*4/5 || at > age || l.closedFor() != event.ReasonMaxAge {
				t.Errorf("closed after %v for %q", at, l.closedFor())
			}
			if at < age*9/10 {
				early++
			}
		}
		if early < 50 || early > 150 {
			t.Errorf("%d of 200 went in the first half of the last fifth", early)
		}
	})
}

// ticketed is a format that shows a goodbye's ticket.
type ticketed struct{ plain }

func (ticketed) Encode(f *hub.Frame) []byte {
	if f.Type == hub.FrameGoodbye {
		return []byte("goodbye " + f.Reason + " [" + f.Ticket + "]\n")
	}
	return plain{}.Encode(f)
}

func TestTicketInGoodbye(t *testing.T) {
	for reason, want := range map[event.Reason]string{
		event.ReasonDraining:     "for ana",
		event.ReasonMaxAge:       "for ana",
		event.ReasonDisconnected: "",
		event.ReasonTokenExpired: "",
	} {
		inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
			c := &client{room: -1}
			conn, err := h.Connect(hub.Newcomer{
				Grant: auth.Grant{User: "ana"}, Sink: c, Format: ticketed{},
				Ticket: func(g auth.Grant) string { return "for " + g.User },
			})
			if err != nil {
				t.Fatal(err)
			}
			c.take()
			conn.Close(reason, "")
			if got := c.take(); !slices.Equal(got, []string{fmt.Sprintf("goodbye %s [%s]", reason, want)}) {
				t.Errorf("%s: %q", reason, got)
			}
			conn.Gone(reason)
		})
	}
}
