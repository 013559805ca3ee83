package crowd

import (
	"testing"
	"time"
)

// TestPeak: the fullest second may begin anywhere.
func TestPeak(t *testing.T) {
	begin := time.Now()
	at := func(millis ...int) (times []time.Time) {
		for _, ms := range millis {
			times = append(times, begin.Add(time.Duration(ms)*time.Millisecond))
		}
		return times
	}
	for _, c := range []struct {
		times []time.Time
		want  int64
	}{
		{nil, 0},
		{at(0), 1},
		{at(0, 999), 2},
		{at(0, 1000), 1},
		{at(0, 900, 1000, 1100, 1899, 1900), 4},
		{at(0, 2000, 2001, 2002, 4000), 3},
	} {
		if got := peak(c.times); got != c.want {
			t.Errorf("%v: at most %d in a second, want %d", c.times, got, c.want)
		}
	}
}
