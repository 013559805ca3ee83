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
	// Resumed counts a read of history that aligned a channel, by its outcome.
	Resumed(outcome string)
}

// NoMetrics counts nothing.
type NoMetrics struct{}

// ConnectionOpened implements Metrics.
func (NoMetrics) ConnectionOpened(string) {}

// ConnectionClosed implements Metrics.
func (NoMetrics) ConnectionClosed(string, event.Reason) {}

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

// Resumed implements Metrics.
func (NoMetrics) Resumed(string) {}
