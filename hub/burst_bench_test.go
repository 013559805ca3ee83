package hub_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

// audience is a channel with so many clients that take everything and do nothing.
type audience struct {
	bus       *membus.Bus
	clients   int64
	live      atomic.Int64
	delivered atomic.Int64
	all       chan struct{} // when all have had the event under way
	published int
}

// silent is one of them.
type silent struct{ of *audience }

func (s silent) Send(_, body []byte) bool {
	if string(body) == string(hub.FrameLive) {
		s.of.live.Add(1)
	} else if string(body) == string(hub.FrameEvent) && s.of.delivered.Add(1)%s.of.clients == 0 {
		s.of.all <- struct{}{}
	}
	return true
}

func (silent) Ready(int) bool { return true }

func (silent) Close(event.Reason, string, []byte) {}

// joining is a wire whose events are joined, as WebSocket's are, or also stand
// behind a cursor, as EventSource's do.
type joining struct {
	counting
	cursor bool
}

func (joining) Joins() bool { return true }

func (j joining) HasCursor() bool { return j.cursor }

func (joining) Cursor([]byte) []byte { return nil }

func gather(tb testing.TB, clients int, format hub.Format) *audience {
	tb.Helper()
	mem := membus.New(bus.Everywhere(bus.Retention{Size: 10, TTL: time.Hour, PositionTTL: time.Hour}))
	tb.Cleanup(mem.Close)
	h := hub.New(mem, hub.Options{})
	tb.Cleanup(h.Close)
	a := &audience{bus: mem, clients: int64(clients), all: make(chan struct{}, 1)}
	for range clients {
		conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: silent{a}, Format: format})
		if err != nil {
			tb.Fatal(err)
		}
		conn.Subscribe(hub.Request{Channel: "a"})
	}
	for a.live.Load() < a.clients {
		time.Sleep(time.Millisecond)
	}
	return a
}

// tell publishes an event and waits until everybody has it.
func (a *audience) tell() {
	a.bus.Publish(context.Background(), []bus.Publication{bustest.Number("a", a.published)})
	a.published++
	<-a.all
}

var wires = map[string]hub.Format{"without cursor": joining{}, "with cursor": joining{cursor: true}}

func BenchmarkFanOut(b *testing.B) {
	for name, format := range wires {
		for _, clients := range []int{1, 1000} {
			b.Run(fmt.Sprintf("%s to %d", name, clients), func(b *testing.B) {
				a := gather(b, clients, format)
				b.ReportAllocs()
				for b.Loop() {
					a.tell()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*clients), "ns/delivery")
			})
		}
	}
}

// An event allocates what it needs once, and nothing for each of its clients.
func TestDeliveringAllocatesNothing(t *testing.T) {
	for name, format := range wires {
		t.Run(name, func(t *testing.T) {
			few, many := gather(t, 10, format), gather(t, 1010, format)
			for range 100 { // until what is used again has its size
				few.tell()
				many.tell()
			}
			toFew, toMany := testing.AllocsPerRun(100, few.tell), testing.AllocsPerRun(100, many.tell)
			if toMany-toFew > 10 {
				t.Errorf("an event costs %v allocations for 10 clients, and %v for 1000 more", toFew, toMany)
			}
		})
	}
}
