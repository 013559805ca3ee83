package api

import (
	"time"

	"relay/event"
)

// Metrics is where an API counts. Implementations must be quick and safe for
// use by many goroutines.
type Metrics interface {
	// Published counts the events that the bus took from one request, without
	// repeats of an idempotency key, and the time it took to answer.
	Published(events int, outcome event.Outcome, took time.Duration)
	// Refused counts a request that was answered with a problem.
	Refused(code event.Code)
}

// NoMetrics counts nothing.
type NoMetrics struct{}

// Published implements Metrics.
func (NoMetrics) Published(int, event.Outcome, time.Duration) {}

// Refused implements Metrics.
func (NoMetrics) Refused(event.Code) {}
