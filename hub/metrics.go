package hub

import (
	"time"

	"relay/event"
)

// Metrics is where a hub counts. Implementations must be quick and safe for
// use by many goroutines.
type Metrics interface {
	ConnectionOpened(transport string)
	ConnectionClosed(transport string, reason event.Reason)
	// ConnectionRefused counts a client that a door turned away, by what it was told.
	ConnectionRefused(transport string, code event.Code)
	// Subscriptions moves the number of live or joining subscriptions by delta.
	Subscriptions(delta int)
	// Channels moves the number of channels this relay listens to by delta.
	Channels(delta int)
	// Received counts an event heard from the bus.
	Received()
	// Delivered counts events handed to connections, bytes in all: one event for
	// a thousand connections counts a thousand.
	Delivered(events, bytes int)
	// Delay is the time from the moment an app posted an event until all its
	// connections had been handed it.
	Delay(time.Duration)
	// Dropped counts something that was heard and not delivered.
	Dropped(reason event.Reason)
	// Aligned counts a read of history that told a channel where it stands, by
	// what came of it: fresh, recovered or a cause of a reset.
	Aligned(outcome event.Outcome)
	// Resumed counts a client's subscription that began, by what the client was
	// told: fresh, start, recovered or a cause of a reset.
	Resumed(outcome event.Outcome)
	// Reset counts a client that was told that events of a channel were lost to it.
	Reset(cause event.ResetCause)
}

// NoMetrics counts nothing.
type NoMetrics struct{}

// ConnectionOpened implements Metrics.
func (NoMetrics) ConnectionOpened(string) {}

// ConnectionClosed implements Metrics.
func (NoMetrics) ConnectionClosed(string, event.Reason) {}

// ConnectionRefused implements Metrics.
func (NoMetrics) ConnectionRefused(string, event.Code) {}

// Subscriptions implements Metrics.
func (NoMetrics) Subscriptions(int) {}

// Channels implements Metrics.
func (NoMetrics) Channels(int) {}

// Received implements Metrics.
func (NoMetrics) Received() {}

// Delivered implements Metrics.
func (NoMetrics) Delivered(int, int) {}

// Delay implements Metrics.
func (NoMetrics) Delay(time.Duration) {}

// Dropped implements Metrics.
func (NoMetrics) Dropped(event.Reason) {}

// Aligned implements Metrics.
func (NoMetrics) Aligned(event.Outcome) {}

// Resumed implements Metrics.
func (NoMetrics) Resumed(event.Outcome) {}

// Reset implements Metrics.
func (NoMetrics) Reset(event.ResetCause) {}
