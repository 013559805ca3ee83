// Package event holds the words every other room speaks: events, channel
// names and patterns, positions and cursors, limits, error codes and the
// reasons for which a connection ends. It imports nothing of the relay.
package event

import (
	"slices"
	"time"
)

// Event is one thing a publisher said in one channel.
//
// An Event is immutable once it has been handed to a bus or come out of one:
// many goroutines read the same Data.
type Event struct {
	Channel string
	// Name is what the publisher calls it ("order.paid"); the field "event" on the wire.
	Name string
	// Data is one compact JSON value: no white space outside strings, so it
	// holds no line break and can stand in an SSE data line as it is.
	Data []byte
	// ID is the event's position in its channel. The zero Position says that
	// the event is not in history: it is delivered at most once.
	ID Position
	// Exclude lists connections that do not get this event (usually the one
	// whose user caused it).
	Exclude []string
	// Posted is when the app handed it to a relay, by this process's clock; zero
	// if that is not known.
	Posted time.Time
}

// Excludes reports whether the connection with this ID must not get the event.
func (e *Event) Excludes(connection string) bool {
	return slices.Contains(e.Exclude, connection)
}
