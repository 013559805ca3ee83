package ws

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"relay/auth"
	"relay/bus"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

func eventFrame(size int) *hub.Frame {
	id := event.Position{Time: 1795334400123, Offset: 42, Tag: event.Tag{'X', 'k', '3', 'v', 'Q', '9'}}
	data := `{"text":"` + strings.Repeat("again and ", size/10) + `"}`
	return &hub.Frame{
		Type: hub.FrameEvent, Channel: "orders.42", ID: id,
		Event: &event.Event{Channel: "orders.42", Name: "order.paid", Data: []byte(data), ID: id},
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{128, 1024, 60_000} {
		for _, format := range []textFormat{{}, {deflate: true}} {
			b.Run(fmt.Sprintf("%d bytes, deflate %v", size, format.deflate), func(b *testing.B) {
				f := eventFrame(size)
				b.ReportAllocs()
				for b.Loop() {
					format.Encode(f)
				}
			})
		}
	}
}

// An event costs its own bytes and, compressed, those it leaves as.
func TestEncodingAllocatesNoMoreThanTheFrame(t *testing.T) {
	f := eventFrame(1024)
	if n := testing.AllocsPerRun(100, func() { (textFormat{}).Encode(f) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	// The least of many: under the race detector pools lose things on purpose,
	// here a compressor.
	least := testing.AllocsPerRun(1, func() { (textFormat{deflate: true}).Encode(f) })
	for range 50 {
		least = min(least, testing.AllocsPerRun(1, func() { (textFormat{deflate: true}).Encode(f) }))
	}
	if least > 2 {
		t.Errorf("%v allocations when compressed", least)
	}
}

// shelf is a sink that keeps where the bytes of events are.
type shelf struct {
	live chan<- struct{}

	mu     sync.Mutex
	bodies map[*byte]int
}

func (s *shelf) Send(_, body []byte) bool {
	switch {
	case strings.Contains(string(body), `"subscribed"`):
		s.live <- struct{}{}
	case body[0] == finBit|deflatedBit|opText:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies[&body[0]]++
	}
	return true
}

func (*shelf) Ready(int) bool { return true }

func (*shelf) Close(event.Reason, string, []byte) {}

// An event is compressed once, and all clients that understand it share the bytes.
func TestCompressesOnce(t *testing.T) {
	mem := membus.New(bus.Everywhere(bus.Retention{Size: 10, TTL: time.Hour, PositionTTL: time.Hour}))
	defer mem.Close()
	h := hub.New(mem, hub.Options{})
	defer h.Close()
	const clients = 50
	live := make(chan struct{}, clients)
	s := &shelf{live: live, bodies: make(map[*byte]int)}
	for range clients {
		conn, err := h.Connect(hub.Newcomer{Grant: auth.Grant{Subscribe: []event.Pattern{"*"}}, Sink: s, Format: textFormat{deflate: true}})
		if err != nil {
			t.Fatal(err)
		}
		conn.Subscribe(hub.Request{Channel: "a"})
	}
	for range clients {
		<-live
	}
	mem.Publish(context.Background(), []bus.Publication{{Channel: "a", Name: "x", Data: eventFrame(2000).Event.Data}})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		got := 0
		for _, n := range s.bodies {
			got += n
		}
		bodies := len(s.bodies)
		s.mu.Unlock()
		if got == clients && bodies == 1 {
			return
		}
		if bodies > 1 || time.Now().After(deadline) {
			t.Fatalf("%d clients of %d got %d different bodies", got, clients, bodies)
		}
	}
}
