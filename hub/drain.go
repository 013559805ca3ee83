package hub

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"time"

	"relay/event"
	"relay/retry"
)

// DrainState says how far a relay is with leaving.
type DrainState string

// The states, in their order.
const (
	// DrainServing: nobody has asked for it.
	DrainServing DrainState = "serving"
	// DrainWaiting: clients still come, because whoever sends them here has not
	// heard of it yet; readiness says no already.
	DrainWaiting DrainState = "waiting"
	// DrainHolding: no stream is taken, and those that are here stay, because
	// they could be sent to relays that are about to leave too.
	DrainHolding DrainState = "holding"
	// DrainReleasing: one client after the other is told to come back elsewhere.
	DrainReleasing DrainState = "releasing"
	// DrainDrained: it is over.
	DrainDrained DrainState = "drained"
)

// DrainPlan says how a relay leaves.
type DrainPlan struct {
	// Delay is how long clients are still taken.
	Delay time.Duration
	// Hold is how long at most, counted from the beginning, clients are kept
	// while other relays are about to leave too. No more than Delay: not at all.
	Hold time.Duration
	// Window is the time over which clients are released.
	Window time.Duration
	// Patience is what the last ones may take, after the window, to go.
	Patience time.Duration
	// Brisk: few clients need not take the whole window.
	Brisk bool
}

// release is when the releases begin at the latest, counted from the beginning.
func (p DrainPlan) release() time.Duration { return max(p.Delay, p.Hold) }

// DrainStatus is how far a relay is.
type DrainStatus struct {
	State DrainState
	// Connections counts those of this moment.
	Connections int
	// Deadline is when it will be over at the latest; zero while serving.
	Deadline time.Time
}

// drain is a hub's leaving; guarded by Hub.mu.
type drain struct {
	state    DrainState
	deadline time.Time
	// begin and span are the time of the releases.
	begin time.Time
	span  time.Duration
	// visited is when the last visitor came.
	visited time.Time
	// shut: nobody is taken any more, not even visitors.
	shut bool
	// emptied is closed when it is shut and the last connection is gone, done
	// when the drain is over.
	emptied, done chan struct{}
}

const (
	// slowestPace is the longest pause between two releases of a brisk drain:
	// a relay with three clients does not need the whole window for them.
	slowestPace = 10 * time.Millisecond
	// visitMemory is how long after a visit its client is expected again: a
	// little more than the longest poll.
	visitMemory = time.Minute
)

// Drain begins to leave politely, in the order of the states; each client is
// told when to come back. It does not wait: what it returns is closed when the
// last one is gone, or the plan's time is over. A second call changes nothing.
func (h *Hub) Drain(plan DrainPlan) (done <-chan struct{}) {
	if h.beginDrain(plan) {
		h.tasks.Go(func() { h.leave(plan) })
	}
	return h.drain.done
}

func (h *Hub) leave(plan DrainPlan) {
	defer h.endDrain()
	begin := time.Now()
	if retry.Sleep(h.ctx, plan.Delay) && plan.Hold > plan.Delay {
		h.hold(begin.Add(plan.Hold))
	}
	ctx, cancel := context.WithTimeout(h.ctx, plan.Window+plan.Patience)
	defer cancel()
	h.release(ctx, plan)
}

// DrainStatus says how far the drain is.
func (h *Hub) DrainStatus() DrainStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	return DrainStatus{State: h.drain.state, Connections: len(h.conns), Deadline: h.drain.deadline}
}

// Draining reports whether the hub is leaving: no new client should be sent here.
func (h *Hub) Draining() bool { return h.DrainStatus().State != DrainServing }

func (h *Hub) beginDrain(plan DrainPlan) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drain.state != DrainServing {
		return false
	}
	h.drain.state = DrainWaiting
	h.drain.deadline = time.Now().Add(plan.release() + plan.Window + plan.Patience)
	return true
}

func (h *Hub) endDrain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drain.state = DrainDrained
	h.drain.shut = true
	close(h.drain.done)
}

// hold keeps the clients while that spares them a second move, at most until a
// moment. If the others cannot be asked (the bus is away) nobody is held: a
// relay that knows nothing leaves at its own pace.
func (h *Hub) hold(until time.Time) {
	if h.options.Generation == "" {
		return
	}
	h.mu.Lock()
	h.drain.state = DrainHolding
	h.mu.Unlock()
	ctx, cancel := context.WithDeadline(h.ctx, until)
	defer cancel()
	for silences := 0; h.expectsAnybody(); {
		r, err := h.askRoster(ctx)
		if r.complete {
			silences = 0
		} else {
			silences++
		}
		known := r.complete || silences > mostSilences
		if err != nil || known && !r.hold || !retry.Sleep(ctx, r.pause()) {
			return
		}
	}
}

// expectsAnybody reports whether there are clients to be held or released.
func (h *Hub) expectsAnybody() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns) > 0 || h.expectsVisitors()
}

// expectsVisitors: some came so lately that they will come again; h.mu is held.
func (h *Hub) expectsVisitors() bool {
	return !h.drain.visited.IsZero() && time.Since(h.drain.visited) < visitMemory
}

// release tells one client after the other to go, and waits for the last one.
func (h *Hub) release(ctx context.Context, plan DrainPlan) {
	streams, visitors, expected := h.beginRelease(plan)
	for _, c := range visitors {
		h.dismiss(c)
	}
	rand.Shuffle(len(streams), func(i, j int) { streams[i], streams[j] = streams[j], streams[i] })
	pause := h.drain.span / time.Duration(max(1, len(streams)))
	for i, c := range streams {
		// By the clock, not by adding up pauses: timers are late, and a
		// thousand late timers would overrun the window.
		if !retry.Sleep(ctx, time.Until(h.drain.begin.Add(time.Duration(i)*pause))) {
			break
		}
		c.Close(event.ReasonDraining, "")
	}
	if expected {
		retry.Sleep(ctx, time.Until(h.drain.begin.Add(h.drain.span)))
	}
	h.shut()
	select {
	case <-h.drain.emptied:
	case <-ctx.Done():
	}
}

// beginRelease sorts the connections of this moment into streams and visitors,
// and says whether further visitors are to be expected.
func (h *Hub) beginRelease(plan DrainPlan) (streams, visitors []*Conn, expected bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drain.state = DrainReleasing
	h.drain.begin, h.drain.span = time.Now(), plan.Window
	if plan.Brisk {
		h.drain.span = min(plan.Window, time.Duration(len(h.conns))*slowestPace)
	}
	for _, c := range h.conns {
		if c.visit == "" {
			streams = append(streams, c)
		} else {
			visitors = append(visitors, c)
		}
	}
	return streams, visitors, h.expectsVisitors()
}

// turn is when the visitors of one name are released. They come and go, so no
// list holds them all: a hash spreads them over the time of the releases, and
// gives each the same moment whenever it comes. h.mu is held.
func (h *Hub) turn(visit string) time.Time {
	part := float64(maphash.String(h.seed, visit)>>11) / (1 << 53)
	return h.drain.begin.Add(time.Duration(part * float64(h.drain.span)))
}

// dismiss releases a visitor in its turn, if it is still there.
func (h *Hub) dismiss(c *Conn) {
	h.mu.Lock()
	at := h.turn(c.visit)
	h.mu.Unlock()
	c.endAfter(time.Until(at), func() { c.Close(event.ReasonDraining, "") })
}

// shut takes nobody any more.
func (h *Hub) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drain.shut = true
	h.noteEmpty()
}

// noteEmpty lets release know that nobody is left; h.mu is held.
func (h *Hub) noteEmpty() {
	if !h.drain.shut || len(h.conns) > 0 {
		return
	}
	select {
	case <-h.drain.emptied:
	default:
		close(h.drain.emptied)
	}
}

// takes reports whether the drain lets a newcomer in; h.mu is held.
func (h *Hub) takes(visit string) bool {
	switch {
	case h.drain.shut:
		return false
	case h.drain.state == DrainHolding:
		return visit != ""
	case h.drain.state == DrainReleasing:
		return visit != "" && time.Now().Before(h.turn(visit))
	}
	return true
}
