package measure_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"relay/bench/measure"
)

func TestHistogramIsWithinAHundredth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h measure.Histogram
	values := make([]int64, 10_001)
	for i := range values {
		values[i] = int64(1) << random.IntN(40)
		values[i] += random.Int64N(values[i])
		h.Add(time.Duration(values[i]))
	}
	slices.Sort(values)
	for _, p := range []float64{0, 1, 50, 90, 99, 99.9, 100} {
		got := float64(h.Percentile(p))
		want := float64(values[int(p/100*10_000)])
		if got < want*0.99 || got > want*1.01 {
			t.Errorf("percentile %v is %v, want %v", p, got, want)
		}
	}
	if h.Count() != 10_001 || int64(h.Percentile(100)) != values[10_000] || int64(h.Percentile(0)) != values[0] {
		t.Errorf("%d values from %d to %d", h.Count(), h.Percentile(0), h.Percentile(100))
	}
}

func TestHistogramSmallAndHuge(t *testing.T) {
	var h measure.Histogram
	if h.Percentile(50) != 0 {
		t.Error("nothing has a size")
	}
	for n := range 300 {
		var one measure.Histogram
		one.Add(time.Duration(n))
		if got := one.Percentile(50); got != time.Duration(n) {
			t.Errorf("%d is %d", n, got)
		}
	}
	h.Add(-1)
	h.Add(24 * time.Hour)
	if h.Percentile(50) != 0 || h.Percentile(100) != 24*time.Hour {
		t.Errorf("%v, %v", h.Percentile(50), h.Percentile(100))
	}
}

// A thousand values have their 99.9th percentile at the 999th.
func TestHistogramRank(t *testing.T) {
	var h measure.Histogram
	for range 999 {
		h.Add(1)
	}
	h.Add(100)
	if got := h.Percentile(99.9); got != 1 {
		t.Errorf("99.9 %% is %d", got)
	}
	if got := h.Percentile(99.91); got != 100 {
		t.Errorf("99.91 %% is %d", got)
	}
}

func TestHistogramMerge(t *testing.T) {
	var a, b, sum measure.Histogram
	for i := range 1000 {
		a.Add(time.Duration(i) * time.Microsecond)
		b.Add(time.Duration(i) * time.Millisecond)
		sum.Add(time.Duration(i) * time.Microsecond)
		sum.Add(time.Duration(i) * time.Millisecond)
	}
	copied := a.Clone()
	copied.Merge(&b)
	if a.Count() != 1000 {
		t.Error("a copy shares its counts")
	}
	for _, p := range []float64{0, 10, 50, 99, 100} {
		if copied.Percentile(p) != sum.Percentile(p) {
			t.Errorf("percentile %v: %v, want %v", p, copied.Percentile(p), sum.Percentile(p))
		}
	}
	if copied.Count() != sum.Count() {
		t.Errorf("%d values, want %d", copied.Count(), sum.Count())
	}
}

func TestSequence(t *testing.T) {
	for _, c := range []struct {
		name string
		seen []uint64
		sent uint64
		want measure.Order
	}{
		{"whole", []uint64{0, 1, 2, 3}, 4, measure.Order{}},
		{"nothing", nil, 3, measure.Order{Lost: 3}},
		{"the end is missing", []uint64{0, 1}, 4, measure.Order{Lost: 2}},
		{"the beginning is missing", []uint64{2, 3}, 4, measure.Order{Lost: 2}},
		{"a hole", []uint64{0, 1, 4}, 5, measure.Order{Lost: 2}},
		{"twice", []uint64{0, 1, 1, 2, 0}, 3, measure.Order{Duplicate: 2}},
		{"late", []uint64{0, 2, 1, 3}, 4, measure.Order{OutOfOrder: 1}},
		{"late, then twice", []uint64{0, 2, 1, 1}, 3, measure.Order{OutOfOrder: 1, Duplicate: 1}},
		{"from the middle of a hole", []uint64{0, 5, 3}, 6, measure.Order{Lost: 3, OutOfOrder: 1}},
		{"backwards", []uint64{3, 2, 1, 0}, 4, measure.Order{OutOfOrder: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s measure.Sequence
			var got measure.Order
			for _, n := range c.seen {
				got.Add(s.See(n))
			}
			got.Add(s.End(c.sent))
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   measure.Spread
	}{
		{nil, measure.Spread{}},
		{[]float64{3}, measure.Spread{Median: 3, Min: 3, Max: 3}},
		{[]float64{4, 1, 3}, measure.Spread{Median: 3, Min: 1, Max: 4}},
		{[]float64{4, 1, 3, 2}, measure.Spread{Median: 2.5, Min: 1, Max: 4}},
	} {
		if got := measure.SpreadOf(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}
