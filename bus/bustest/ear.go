package bustest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"relay/bus"
	"relay/event"
)

// Ear is a receiver that keeps what it hears.
type Ear struct {
	mu        sync.Mutex
	changed   *sync.Cond
	heard     map[string][]bus.Delivery
	listening map[string]int
	failed    map[string]error
	dropped   []event.Reason
}

// NewEar makes an ear and attaches it.
func NewEar(b bus.Bus) *Ear {
	e := &Ear{
		heard:     make(map[string][]bus.Delivery),
		listening: make(map[string]int),
		failed:    make(map[string]error),
	}
	e.changed = sync.NewCond(&e.mu)
	b.Attach(e)
	return e
}

// Deliver implements bus.Receiver.
func (e *Ear) Deliver(d bus.Delivery) {
	e.note(func() { e.heard[d.Event.Channel] = append(e.heard[d.Event.Channel], d) })
}

// Listening implements bus.Receiver.
func (e *Ear) Listening(channel string) { e.note(func() { e.listening[channel]++ }) }

// ListenFailed implements bus.Receiver.
func (e *Ear) ListenFailed(channel string, err error) { e.note(func() { e.failed[channel] = err }) }

// Dropped implements bus.Receiver.
func (e *Ear) Dropped(reason event.Reason) { e.note(func() { e.dropped = append(e.dropped, reason) }) }

func (e *Ear) note(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
	e.changed.Broadcast()
}

// Await waits until ok says so, or fails after a long time.
func (e *Ear) Await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	late := false
	timer := time.AfterFunc(time.Minute, func() { e.note(func() { late = true }) })
	defer timer.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for !ok() {
		if late {
			tb.Fatalf("waited a minute for: %s", what)
		}
		e.changed.Wait()
	}
}

// Listen asks for a channel and waits for the confirmation.
func (e *Ear) Listen(tb testing.TB, b bus.Bus, channel string) {
	tb.Helper()
	before := e.Confirmations(channel)
	b.Listen(channel)
	e.Await(tb, "listening to "+channel, func() bool { return e.listening[channel] > before })
}

// Confirmations is how often the bus has said that it listens to a channel.
func (e *Ear) Confirmations(channel string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.listening[channel]
}

// AwaitConfirmations waits for the n-th time the bus says that it listens.
func (e *Ear) AwaitConfirmations(tb testing.TB, channel string, n int) {
	tb.Helper()
	e.Await(tb, fmt.Sprintf("%d confirmations of %s", n, channel), func() bool { return e.listening[channel] >= n })
}

// AwaitFailed waits until the bus has refused a channel.
func (e *Ear) AwaitFailed(tb testing.TB, channel string) error {
	tb.Helper()
	e.Await(tb, "refusal of "+channel, func() bool { return e.failed[channel] != nil })
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failed[channel]
}

// AwaitDropped waits until n messages have been dropped.
func (e *Ear) AwaitDropped(tb testing.TB, n int) []event.Reason {
	tb.Helper()
	e.Await(tb, fmt.Sprintf("%d dropped messages", n), func() bool { return len(e.dropped) >= n })
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.dropped)
}

// Heard waits for n events of a channel and returns all there are.
func (e *Ear) Heard(tb testing.TB, channel string, n int) []bus.Delivery {
	tb.Helper()
	e.Await(tb, fmt.Sprintf("%d events of %s", n, channel), func() bool { return len(e.heard[channel]) >= n })
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard[channel])
}
