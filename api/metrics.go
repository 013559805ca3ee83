package api

import (
	"time"

	"relay/event"
)

// Metrics is where an API counts. Implementations must be quick and safe for
// use by many goroutines.
type Metrics interface {
	// Published counts events the bus took from one request, and the time it
	// took to. Repeats of an idempotency key are not counted.
	Published(events int, took time.Duration)
	// Refused counts a request that was answered with a problem.
	Refused(code event.Code)
}

// NoMetrics counts nothing.
type NoMetrics struct{}

// Published implements Metrics.
func (NoMetrics) Published(int, time.Duration) {}

// Refused implements Metrics.
func (NoMetrics) Refused(event.Code) {}
