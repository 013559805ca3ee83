package hub

import (
	"context"
	"math/rand/v2"
	"time"

	"relay/event"
)

// slowestPace is the longest pause between two releases: a relay with three
// clients does not need the whole window for them.
const slowestPace = 10 * time.Millisecond

// Drain leaves politely: no new connection is admitted, and those of this
// moment are released one after the other, in random order, spread over the
// window (or less, if they are few), each told when to come back. It returns
// when the last one is gone, or when ctx is done.
func (h *Hub) Drain(ctx context.Context, window time.Duration) {
	h.mu.Lock()
	h.draining = true
	if len(h.conns) == 0 {
		h.closeEmptied()
	}
	h.mu.Unlock()

	conns := h.connections()
	rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
	pause := min(window/time.Duration(max(1, len(conns))), slowestPace)
	begin := time.Now()
	for i, c := range conns {
		// By the clock, not by adding up pauses: timers are late, and a
		// thousand late timers would overrun the window.
		if !sleepUntil(ctx, begin.Add(time.Duration(i)*pause)) {
			break
		}
		c.Close(event.ReasonDraining, "")
	}
	select {
	case <-h.emptied:
	case <-ctx.Done():
	}
}

// Draining reports whether the hub is leaving.
func (h *Hub) Draining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.draining
}

// closeEmptied lets Drain know that nobody is left; h.mu is held.
func (h *Hub) closeEmptied() {
	select {
	case <-h.emptied:
	default:
		close(h.emptied)
	}
}

// sleepUntil reports whether t came before ctx was done.
func sleepUntil(ctx context.Context, t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
