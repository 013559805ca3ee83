package crowd

import (
	"errors"
	"maps"
	"sync"
	"syscall"
	"time"
)

// Tally is what has been counted. It only grows.
type Tally struct {
	// Handshakes counts answers to polls too.
	Handshakes int64
	// Came is how often a client was told about all of its channels.
	Came int64
	// Refused are attempts to publish that were not answered 200.
	Refused int64
	Resets  int64
	// Live are the ages of events when clients saw them that were there when
	// they were made, Late those of the others.
	Live, Late Latencies
	// Ends says how connections, and attempts to make one, ended.
	Ends map[string]int
}

// Tally is what has been counted so far.
func (c *Crowd) Tally() Tally {
	return Tally{
		Handshakes: c.handshakes.Load(), Came: c.arrivals.count(), Refused: c.refused.Load(), Resets: c.resets.Load(),
		Live: c.live.latencies(), Late: c.late.latencies(), Ends: c.ends.all(),
	}
}

// Minus is what was counted since before.
func (t Tally) Minus(before Tally) Tally {
	t.Handshakes -= before.Handshakes
	t.Came -= before.Came
	t.Refused -= before.Refused
	t.Resets -= before.Resets
	t.Live, t.Late = t.Live.minus(before.Live), t.Late.minus(before.Late)
	for name, n := range before.Ends {
		if t.Ends[name] -= n; t.Ends[name] == 0 {
			delete(t.Ends, name)
		}
	}
	return t
}

// saw notes how old an event was when a client saw it: live if the client was
// all there when it was made, late if it was told of the past.
func (c *Crowd) saw(made time.Time, back bool, since time.Time) {
	if back && made.After(since) {
		c.live.add(time.Since(made))
		return
	}
	c.late.add(time.Since(made))
}

// ends counts how connections ended.
type ends struct {
	mu    sync.Mutex
	named map[string]int
}

func (e *ends) add(w way, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.named == nil {
		e.named = make(map[string]int)
	}
	e.named[w.String()+": "+nameOf(err)]++
}

func (e *ends) all() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make(map[string]int, len(e.named))
	maps.Copy(all, e.named)
	return all
}

// nameOf gives an end a name without addresses and numbers of its own.
func nameOf(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was reset"
	}
	return err.Error()
}
