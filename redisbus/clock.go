package redisbus

import (
	"sync/atomic"
	"time"
)

// clock compares a node's clock with this process's. When an event was posted
// is told from relay to relay in the node's time, which is the one clock that
// all of them can read: by their own, relays whose clocks disagree would call
// every event late, or published in the future.
//
// A canary that was written tells the node's time at a moment between its
// sending and its return, so each of them bounds how far the node is ahead.
type clock struct{ bounds atomic.Pointer[bounds] }

// bounds are the least and the most that a node is ahead.
type bounds struct{ least, most time.Duration }

// learn takes in what a canary shows: the time that the node gave it, in whole
// milliseconds, when it was back, and how long it was away. Calls are one at a
// time.
func (c *clock) learn(stamp int64, back time.Time, away time.Duration) {
	node := time.UnixMilli(stamp)
	next := bounds{least: node.Sub(back), most: node.Add(time.Millisecond).Sub(back.Add(-away))}
	if known := c.bounds.Load(); known != nil {
		both := bounds{max(known.least, next.least), min(known.most, next.most)}
		// If no answer fits both, one of the clocks was set, or they have drifted.
		if both.least <= both.most {
			next = both
		}
	}
	c.bounds.Store(&next)
}

// ahead is how far the node is ahead of this process, to half of what the
// bounds leave open. known is false before the first canary.
func (c *clock) ahead() (d time.Duration, known bool) {
	b := c.bounds.Load()
	if b == nil {
		return 0, false
	}
	return b.least + (b.most-b.least)/2, true
}

// toNode is a moment of this process in the node's time, in microseconds; 0 if
// that is not known, or there is no such moment.
func (c *clock) toNode(t time.Time) int64 {
	ahead, known := c.ahead()
	if t.IsZero() || !known {
		return 0
	}
	return t.Add(ahead).UnixMicro()
}

// toHere is the opposite of toNode.
func (c *clock) toHere(micros int64) time.Time {
	ahead, known := c.ahead()
	if micros <= 0 || !known {
		return time.Time{}
	}
	return time.UnixMicro(micros).Add(-ahead)
}

// ClockAhead is how far Redis's clock is ahead of this relay's; in a Cluster,
// that of the node which is farthest from it. known is false until a canary
// has told.
func (b *Bus) ClockAhead() (farthest time.Duration, known bool) {
	b.listener.mu.Lock()
	defer b.listener.mu.Unlock()
	for _, s := range b.listener.nodes.all() {
		ahead, told := s.outlet.clock.ahead()
		if told && (!known || ahead.Abs() > farthest.Abs()) {
			farthest, known = ahead, true
		}
	}
	return farthest, known
}
