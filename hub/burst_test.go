package hub_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"relay/bus"
	"relay/bus/bustest"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

// stream is a format as EventSource has it: frames may be joined, and those
// that move the cursor have a line with it before them.
type stream struct{ plain }

func (stream) HasCursor() bool { return true }

func (stream) Cursor(cursor []byte) []byte { return fmt.Appendf(nil, "id %s\n", cursor) }

// pieces is a sink that keeps what it gets, write by write.
type pieces struct {
	mu   sync.Mutex
	list []string
}

func (p *pieces) Send(head, body []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, string(head)+string(body))
	return true
}

func (p *pieces) Ready(int) bool { return true }

func (p *pieces) Close(event.Reason, string, []byte) {}

func (p *pieces) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list
	p.list = nil
	return list
}

// What was published at once leaves in one piece, with the cursor that the
// client needs before each event: its position where there is one channel, the
// positions of all where there are several.
func TestBurstsCarryCursors(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		one, two := &pieces{}, &pieces{}
		for sink, channels := range map[*pieces][]string{one: {"a"}, two: {"a", "b"}} {
			conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: sink, Format: stream{}})
			if err != nil {
				t.Fatal(err)
			}
			var list []hub.Request
			for _, channel := range channels {
				list = append(list, hub.Request{Channel: channel})
			}
			conn.Subscribe(list...)
		}
		synctest.Wait()
		one.take()
		two.take()
		quick := bustest.Number("a", 2)
		quick.Transient = true
		receipts := b.Publish(context.Background(), []bus.Publication{bustest.Number("a", 1), quick, bustest.Number("a", 3)})
		synctest.Wait()
		want := fmt.Sprintf("id %s\nevent a 1\nevent a 2\nid %s\nevent a 3\n", receipts[0].ID, receipts[2].ID)
		if got := strings.Join(one.take(), ""); got != want {
			t.Errorf("with one channel: %q\nwant %q", got, want)
		}
		var last event.Cursor
		text := strings.Join(two.take(), "")
		for _, line := range strings.Split(text, "\n") {
			if cursor, ok := strings.CutPrefix(line, "id "); ok {
				var err error
				if last, err = event.ParseCursor(cursor); err != nil {
					t.Fatal(err)
				}
			}
		}
		if at, ok := last.Find(event.HashChannel("a")); !ok || at != receipts[2].ID || strings.Count(text, "event a") != 3 {
			t.Errorf("with two channels: %q", text)
		}
	})
}

// However many clients there are, an event costs the same allocations: those of
// its one encoding.
func TestDeliveriesAllocateNothing(t *testing.T) {
	few, many := allocationsFor(t, 10), allocationsFor(t, 1000)
	if many > few+50 {
		t.Errorf("an event for 10 clients takes %.0f allocations, for 1000 it takes %.0f", few, many)
	}
}

// nowhere is a sink that takes everything and keeps nothing.
type nowhere struct{}

func (nowhere) Send(_, _ []byte) bool              { return true }
func (nowhere) Ready(int) bool                     { return true }
func (nowhere) Close(event.Reason, string, []byte) {}

func allocationsFor(t *testing.T, clients int) float64 {
	t.Helper()
	b := membus.New(bustest.Keep)
	defer b.Close()
	h := hub.New(b, hub.Options{})
	defer h.Close()
	publish := crowd(t, h, b, clients)
	return testing.AllocsPerRun(100, publish)
}

// crowd connects clients to a channel. The function it returns publishes one
// event and returns when all have got it.
func crowd(tb testing.TB, h *hub.Hub, b *membus.Bus, clients int) func() {
	tb.Helper()
	for range clients {
		conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: nowhere{}, Format: plain{}})
		if err != nil {
			tb.Fatal(err)
		}
		conn.Subscribe(hub.Request{Channel: "a"})
	}
	got := make(chan struct{}, 1)
	last, err := h.Connect(hub.Newcomer{Grant: everything, Sink: signal(got), Format: plain{}})
	if err != nil {
		tb.Fatal(err)
	}
	<-got // its welcome
	last.Subscribe(hub.Request{Channel: "a"})
	<-got // subscribed, after all the others
	one := []bus.Publication{bustest.Number("a", 1)}
	return func() {
		b.Publish(context.Background(), one)
		<-got
	}
}

// signal is a sink that tells of each frame.
type signal chan struct{}

func (s signal) Send(_, _ []byte) bool {
	s <- struct{}{}
	return true
}

func (signal) Ready(int) bool                     { return true }
func (signal) Close(event.Reason, string, []byte) {}

func BenchmarkFanOut(b *testing.B) {
	for _, clients := range []int{1, 1000, 10_000} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			store := membus.New(bustest.Keep)
			defer store.Close()
			h := hub.New(store, hub.Options{})
			defer h.Close()
			publish := crowd(b, h, store, clients)
			b.ReportAllocs()
			for b.Loop() {
				publish()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(clients), "ns/delivery")
		})
	}
}
