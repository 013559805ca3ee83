package crowd

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// perOctave is how many buckets double a duration: each is a ninth wider
	// than the one before.
	perOctave = 8
	buckets   = 256
)

// Latencies are durations, counted in buckets of microseconds.
type Latencies [buckets]int64

// Count is how many there are.
func (l *Latencies) Count() int64 {
	var n int64
	for _, here := range l {
		n += here
	}
	return n
}

// Quantile is how long the given part of all took at most, about.
func (l *Latencies) Quantile(part float64) time.Duration {
	n := l.Count()
	if n == 0 {
		return 0
	}
	left := int64(math.Ceil(part * float64(n)))
	for i, here := range l {
		if left -= here; left <= 0 {
			return time.Duration(math.Exp2(float64(i+1)/perOctave)) * time.Microsecond
		}
	}
	return 0
}

func (l Latencies) minus(before Latencies) Latencies {
	for i := range l {
		l[i] -= before[i]
	}
	return l
}

// recorder counts durations, of thousands of clients at once.
type recorder [buckets]atomic.Int64

func (r *recorder) add(d time.Duration) {
	i := int(math.Log2(max(1, float64(d.Microseconds()))) * perOctave)
	r[min(i, buckets-1)].Add(1)
}

func (r *recorder) latencies() Latencies {
	var l Latencies
	for i := range r {
		l[i] = r[i].Load()
	}
	return l
}
