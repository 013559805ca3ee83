package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"relay/retry"
)

func TestPause(t *testing.T) {
	const first, most = 100 * time.Millisecond, 5 * time.Second
	full := first
	for failures := range 200 {
		least, longest := most, time.Duration(0)
		for range 200 {
			pause := retry.Pause(failures, first, most)
			least, longest = min(least, pause), max(longest, pause)
		}
		if least < full/2 || longest > full {
			t.Errorf("after %d failures: from %v to %v, want from %v to %v", failures, least, longest, full/2, full)
		}
		// Chance leaves out one of these quarters once in 10^22 runs.
		if least > full*5/8 || longest < full*7/8 {
			t.Errorf("after %d failures: only from %v to %v", failures, least, longest)
		}
		full = min(2*full, most)
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if !retry.Sleep(t.Context(), time.Hour) || time.Since(begun) != time.Hour {
			t.Errorf("an hour took %v", time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun = time.Now()
		if retry.Sleep(ctx, time.Hour) || time.Since(begun) != time.Minute {
			t.Errorf("given up after a minute, it took %v", time.Since(begun))
		}
		for range 100 { // both are over: it must not be left to chance
			if retry.Sleep(ctx, 0) {
				t.Fatal("it does not notice that the context is done")
			}
		}
	})
}
