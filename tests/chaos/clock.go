package chaos

import "time"

// clock is what is known of the store's wall clock, which may be stepped.
type clock struct{ steps []step }

// step sets the clock ahead of ours, or behind it, at some moment of a span.
type step struct {
	span
	ahead time.Duration
}

func (t *truth) stepped(from time.Time, ahead time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock.steps = append(t.clock.steps, step{span{from, time.Now()}, ahead})
}

// each walks through the spans in which the clock was equally far ahead.
func (c *clock) each(f func(in span, ahead time.Duration)) {
	in, ahead := span{}, time.Duration(0)
	for _, s := range c.steps {
		in.to = s.to
		f(in, ahead)
		in, ahead = span{from: s.from}, s.ahead
	}
	in.to = time.Now().Add(time.Hour) // not over yet
	f(in, ahead)
}

// earliest is when the clock showed ms for the first time; the zero time if
// it never did. An id's milliseconds are the clock's when it was given, or of
// an id before it: so this is never later than when the id was given.
func (c *clock) earliest(ms int64) (first time.Time) {
	c.each(func(in span, ahead time.Duration) {
		at := time.UnixMilli(ms).Add(-ahead)
		if in.overlaps(at, at) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	})
	return first
}

// rise is how far the clock went forward at most between two moments, after
// the lowest time that it showed till then. What was to expire in less may
// have expired: when it was written, the clock may have stood lowest.
func (c *clock) rise(from, to time.Time) (most time.Duration) {
	var lowest time.Time
	c.each(func(in span, ahead time.Duration) {
		if !in.overlaps(from, to) {
			return
		}
		first, last := in.from, in.to
		if first.Before(from) {
			first = from
		}
		if to.Before(last) {
			last = to
		}
		if shown := first.Add(ahead); lowest.IsZero() || shown.Before(lowest) {
			lowest = shown
		}
		most = max(most, last.Add(ahead).Sub(lowest))
	})
	return most
}
