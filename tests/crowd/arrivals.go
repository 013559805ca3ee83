package crowd

import (
	"slices"
	"sync"
	"time"
)

// arrivals are the moments at which clients were told about all of their
// channels, in order.
type arrivals struct {
	mu    sync.Mutex
	times []time.Time
}

func (a *arrivals) add() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, time.Now())
}

func (a *arrivals) count() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int64(len(a.times))
}

func (a *arrivals) from(begin time.Time) []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, at := range a.times {
		if !at.Before(begin) {
			return slices.Clip(a.times[i:])
		}
	}
	return nil
}

// Peak is the most clients that have come within one second since begin,
// wherever that second began.
func (c *Crowd) Peak(begin time.Time) int64 { return peak(c.arrivals.from(begin)) }

func peak(times []time.Time) int64 {
	most, first := 0, 0
	for i, at := range times {
		for at.Sub(times[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return int64(most)
}

// Visits is how often each client has come.
func (c *Crowd) Visits() []int {
	visits := make([]int, len(c.clients))
	for i, one := range c.clients {
		visits[i] = one.visited()
	}
	return visits
}
