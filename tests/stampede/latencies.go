package stampede

import (
	"math"
	"sync/atomic"
	"time"
)

// latencies counts durations in buckets that grow by a ninth, so that
// thousands of clients can add to them at once.
type latencies struct {
	n       atomic.Int64
	buckets [256]atomic.Int64
}

const perOctave = 8

func (l *latencies) add(d time.Duration) {
	l.n.Add(1)
	i := int(math.Log2(max(1, float64(d.Microseconds()))) * perOctave)
	l.buckets[min(i, len(l.buckets)-1)].Add(1)
}

// Count is how many there are.
func (l *latencies) Count() int64 { return l.n.Load() }

// quantile is how long the given part of all took at most, about.
func (l *latencies) quantile(part float64) time.Duration {
	if l.n.Load() == 0 {
		return 0
	}
	left := int64(math.Ceil(part * float64(l.n.Load())))
	for i := range l.buckets {
		if left -= l.buckets[i].Load(); left <= 0 {
			return time.Duration(math.Exp2(float64(i+1)/perOctave)) * time.Microsecond
		}
	}
	return 0
}
