package measure

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// A duration falls into the bucket of its leading bits: subBits of them after
// the first, so that a bucket is less than a hundredth of its value wide.
const (
	subBits = 7
	subs    = 1 << subBits
	// octaves reach to 2^41 ns, more than half an hour.
	octaves = 42 - subBits
	buckets = octaves * subs
)

// Histogram counts durations in buckets that grow with the value. Its zero
// value is empty. It is not safe for concurrent use.
type Histogram struct {
	counts   []uint64 // nil while empty
	total    uint64
	min, max int64
}

// bucketOf is the index of the bucket that holds n.
func bucketOf(n int64) int {
	if n < subs {
		return int(max(n, 0))
	}
	octave := bits.Len64(uint64(n)) - subBits - 1
	return min(octave*subs+int(n>>octave), buckets-1)
}

// upperEdge is the largest value that falls into a bucket.
func upperEdge(bucket int) int64 {
	if bucket < 2*subs {
		return int64(bucket)
	}
	octave := bucket/subs - 1
	return int64(bucket-octave*subs+1)<<octave - 1
}

// Add counts one duration. A negative one counts as zero.
func (h *Histogram) Add(d time.Duration) {
	n := max(int64(d), 0)
	if h.counts == nil {
		h.counts = make([]uint64, buckets)
	}
	if h.total == 0 || n < h.min {
		h.min = n
	}
	h.max = max(h.max, n)
	h.counts[bucketOf(n)]++
	h.total++
}

// Merge adds all that other has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.total == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint64, buckets)
	}
	if h.total == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Clone returns a copy of its own.
func (h *Histogram) Clone() *Histogram {
	c := *h
	c.counts = slices.Clone(h.counts)
	return &c
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.total }

// Percentile is a value that p percent of the durations do not exceed, at most
// a hundredth too large; 0 of nothing.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	if p <= 0 {
		return time.Duration(h.min)
	}
	// Against 99.9 % of 1000 becoming 999.0000000001.
	rank := uint64(math.Ceil(float64(h.total)*p/100 - 1e-6))
	if rank = max(rank, 1); rank >= h.total {
		return time.Duration(h.max)
	}
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return time.Duration(min(max(upperEdge(i), h.min), h.max))
		}
	}
	return time.Duration(h.max)
}
