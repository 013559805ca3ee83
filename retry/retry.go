// Package retry says how long to wait before something is tried again, and waits.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// mostDoublings keeps the pause from running over; it is far beyond any bound.
const mostDoublings = 16

// Pause is how long to wait after a number of failures in a row, 0 being the
// first try's: it doubles from first to most, and half of it is left to chance,
// or those who failed together would all come back together.
func Pause(failures int, first, most time.Duration) time.Duration {
	full := min(first<<min(failures, mostDoublings), most)
	return full/2 + rand.N(full/2+1)
}

// Sleep waits for d, and reports whether that was over before ctx was done.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
