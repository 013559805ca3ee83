// Package bus is the contract between a hub and whatever carries events
// between relays and keeps their history. membus (one process) and redisbus
// (Redis) fulfil it, and bustest holds the test that both must pass.
//
// A publisher never delivers locally: an event reaches even the clients of
// its own relay through the bus, so that everybody sees one order.
package bus

import (
	"context"
	"errors"
	"time"

	"relay/event"
)

// Bus carries events and keeps their history. All methods may be called from
// many goroutines at once.
type Bus interface {
	// Attach names the one receiver of everything this bus hears. It is
	// called once, before the first Listen.
	Attach(Receiver)

	// Listen asks to hear a channel. It does not block: the receiver is told
	// Listening once the wish is fulfilled, and again each time it had to be
	// fulfilled anew (a lost connection), and ListenFailed when the bus
	// refuses it for good. Listening twice to a channel is one wish.
	Listen(channel string)
	// Unlisten ends it. Deliveries already on their way may still arrive.
	Unlisten(channel string)

	// Publish hands over events in order and answers with one receipt each,
	// in the same order. It returns when the bus has them, not before.
	// Events of one channel keep their order; across channels nothing is
	// atomic. A receipt whose Err is set was not (or, for ErrUnavailable,
	// perhaps not) published; the others were.
	Publish(ctx context.Context, batch []Publication) []Receipt

	// Resume reads where a channel stands and what came after a position;
	// see Page. It reads from the authority (never from a replica). A limit of
	// 0 asks where the channel stands and nothing else.
	Resume(ctx context.Context, channel string, from From, limit int) (Page, error)

	// Heads reads where channels stand, and keeps that from being forgotten for
	// another PositionTTL. A position that is not known is zero, and is not made;
	// a channel that could not be read is missing in the answer. It reads from
	// the authority.
	Heads(ctx context.Context, channels []string) map[string]event.Position

	// Delete forgets a channel's history, but never where the channel stands: a
	// reader at the head lost nothing and is recovered, one behind it is told
	// ResetTrimmed. Deleting what is not there is no error.
	Delete(ctx context.Context, channel string) error

	// Healthy returns nil if the bus has its connections and hears what it was
	// asked to, as far as it knows; else what is wrong in a sentence. It does
	// not wait.
	Healthy() error

	// Close ends it and waits for its goroutines.
	Close()
}

// Receiver is what a bus tells what it hears: the hub. Its methods must not
// block, and for one channel they are called one at a time and in order.
type Receiver interface {
	// Deliver hands over an event that was heard.
	Deliver(Delivery)
	// Listening says that from now on each event published in channel is
	// delivered; events from before this call may have been missed.
	Listening(channel string)
	// ListenFailed says that the bus refuses the channel for good (a missing
	// permission). The wish is forgotten.
	ListenFailed(channel string, err error)
	// Dropped counts something heard that was not an event.
	Dropped(reason event.Reason)
}

// Delivery is an event as it was heard.
type Delivery struct {
	Event *event.Event
	// Previous is the tag of the event before it in its history. Meaningless
	// for an event without a position.
	Previous event.Tag
}

// Publication is one event on its way to one channel.
type Publication struct {
	Channel string
	Name    string
	// Data is one compact JSON value.
	Data    []byte
	Exclude []string
	// Transient: deliver now, keep nothing ("history": false).
	Transient bool
	// Posted is when the app handed it over; zero if nobody knows. It is told to
	// whoever hears the event, and a repeat may have another.
	Posted time.Time
	// Key makes a repeat within KeyTTL publish nothing; empty means none.
	Key string
}

// Retention says how much of a channel is kept.
type Retention struct {
	// Size is how many events history holds; 0 means no history at all, and
	// every event is transient.
	Size int
	// TTL is how long it holds them.
	TTL time.Duration
	// PositionTTL is how long a silent channel's last position is known. At
	// least TTL: without the position, history could not be continued.
	PositionTTL time.Duration
}

// Keep says how much is kept of each channel. It is asked for every event, by
// many goroutines at once, and must always answer the same for one channel.
type Keep func(channel string) Retention

// Everywhere keeps every channel alike.
func Everywhere(r Retention) Keep { return func(string) Retention { return r } }

// KeyTTL is how long a bus remembers an idempotency key.
const KeyTTL = 10 * time.Minute

// Receipt answers one Publication.
type Receipt struct {
	// ID is the event's position; zero for an event without history.
	ID event.Position
	// Duplicate: the key had been used for the same event; ID is the first one's.
	Duplicate bool
	// Receivers is how many relays heard a transient event.
	Receivers int
	Err       error
}

var (
	// ErrUnavailable says that the bus cannot take or read anything now; a
	// retry with the same keys is safe.
	ErrUnavailable = errors.New("the event bus is not available")
	// ErrKeyReused says that an idempotency key came again with another event.
	ErrKeyReused = errors.New("the idempotency key was used for another event")
)
