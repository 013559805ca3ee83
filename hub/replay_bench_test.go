package hub_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

// BenchmarkResume is what a relay does when the clients of another one come to
// it all at once: 10 000 go on from 200 events ago in one channel, in which
// events keep coming. The time is until all of them are live.
func BenchmarkResume(b *testing.B) {
	for _, room := range []int{0, 20} {
		b.Run(fmt.Sprintf("room for %d", room), func(b *testing.B) {
			for b.Loop() {
				resumeMany(b, 10_000, room)
			}
		})
	}
}

func resumeMany(b *testing.B, clients, room int) {
	b.StopTimer()
	keep := bus.Retention{Size: 10_000, TTL: time.Hour, PositionTTL: time.Hour}
	mem := membus.New(bus.Everywhere(keep))
	defer mem.Close()
	h := hub.New(mem, hub.Options{})
	defer h.Close()
	batch := make([]bus.Publication, 201)
	for i := range batch {
		batch[i] = bustest.Number("a", i)
	}
	since := hub.ParseSince([]string{bustest.Publish(b, mem, batch...)[0].ID.String()}, []string{"a"})[0]

	flow := newFlow(mem)
	defer flow.stop()
	pump := newDrain()
	defer pump.stop()
	var live sync.WaitGroup
	b.StartTimer()
	for range clients {
		live.Add(1)
		s := &counter{room: int64(room), pump: pump, live: &live}
		conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: s, Format: counting{}})
		if err != nil {
			b.Fatal(err)
		}
		s.conn.Store(conn)
		conn.Subscribe(hub.Request{Channel: "a", Since: since})
	}
	live.Wait()
}

// flow publishes an event every five milliseconds.
type flow struct{ quit, done chan struct{} }

func newFlow(to bus.Bus) *flow {
	f := &flow{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-f.quit:
				return
			case <-tick.C:
				to.Publish(context.Background(), []bus.Publication{bustest.Number("a", n)})
			}
		}
	}()
	return f
}

func (f *flow) stop() {
	close(f.quit)
	<-f.done
}

// drain stands for the doors' writers: it empties the sinks that are full.
type drain struct {
	full chan *counter
	done chan struct{}
}

func newDrain() *drain {
	d := &drain{full: make(chan *counter, 20_000), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		for c := range d.full {
			c.waiting.Store(0)
			c.conn.Load().Drained()
		}
	}()
	return d
}

func (d *drain) stop() {
	close(d.full)
	<-d.done
}

// counter is a sink that counts, and has room for so many past events at once.
type counter struct {
	room    int64 // 0: any number
	waiting atomic.Int64
	pump    *drain
	live    *sync.WaitGroup
	conn    atomic.Pointer[hub.Conn]
}

func (c *counter) Send(_, body []byte) bool {
	c.waiting.Add(1)
	if string(body) == string(hub.FrameLive) {
		c.live.Done()
	}
	return true
}

func (c *counter) Ready(int) bool {
	if c.room == 0 || c.waiting.Load() < c.room {
		return true
	}
	c.pump.full <- c
	return false
}

func (c *counter) Close(event.Reason, string, []byte) {}

// counting is a format that writes no more than a frame's type.
type counting struct{ plain }

func (counting) Joins() bool { return false }

func (counting) Encode(f *hub.Frame) []byte { return []byte(f.Type) }
