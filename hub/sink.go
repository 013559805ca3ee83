package hub

import (
	"time"

	"relay/event"
)

// Sink is one client's way out, all that the hub sees of a connection. A door
// brings it. The hub calls Send and Close under the connection's lock, so the
// calls of one sink never overlap and their order is the order on the wire.
type Sink interface {
	// Send hands over one frame: head, which is this client's own and may be
	// nil, directly followed by body. Neither may be changed by anybody
	// afterwards: body is shared by all clients of its format. Send must not
	// block. It returns false when the client is too far behind to take more;
	// the hub then closes it.
	Send(head, body []byte) bool
	// Ready reports whether a past event of size bytes may be sent now: there is
	// no hurry with those, and live events must find room too. A sink that says
	// no must have its door call Conn.Drained when nothing waits any more.
	Ready(size int) bool
	// Close ends the connection for a reason after what was sent before has
	// left, with last (may be nil) as the last frame. For event.ReasonSlow
	// what is still queued is given up: the client resumes. Close must not
	// block and is called once; no Send follows it.
	Close(reason event.Reason, text string, last []byte)
}

// Format writes frames in the bytes of one wire. Formats are compared by
// identity: all connections that share a Format value share the bytes of an
// event, which is encoded once for all of them.
type Format interface {
	// Transport names the wire in logs and metrics: "ws", "sse".
	Transport() string
	// Encode returns the frame's bytes, or nil if this wire does not say it.
	Encode(f *Frame) []byte
	// Cursor returns what is to stand before a frame that moves the client's
	// cursor, or nil on a wire without one. cursor is only valid during the call.
	Cursor(cursor []byte) []byte
	// Joins reports whether frames of this wire, with what stands before them,
	// may follow each other in one body.
	Joins() bool
	// HasCursor reports whether Cursor is of use; without it the hub saves itself the work.
	HasCursor() bool
}

// FrameType is the kind of a frame, by its name on the native wire.
type FrameType string

// What a hub says to a client.
const (
	FrameWelcome      FrameType = "welcome"
	FrameEvent        FrameType = "event"
	FrameSubscribed   FrameType = "subscribed"
	FrameUnsubscribed FrameType = "unsubscribed"
	FrameReset        FrameType = "reset"
	FrameError        FrameType = "error"
	FrameGoodbye      FrameType = "goodbye"
	FramePong         FrameType = "pong"
	// FrameLive is for doors only: the subscription has caught up. No wire says it.
	FrameLive FrameType = "live"
)

// Frame is something the hub says to a client, before it has a wire's shape.
// Which fields count depends on the type.
type Frame struct {
	Type    FrameType
	Channel string
	// ID: of a subscribed and a reset, the position after which events follow.
	ID event.Position
	// Event is set in an event frame, and only there.
	Event *event.Event
	// Recovered is set in a subscribed frame that answers a cursor.
	Recovered *bool
	// Ref is the client's own mark, a JSON number or string, given back as it came.
	Ref string
	// Reason: of unsubscribed, reset and goodbye.
	Reason string
	// Code and Message: of an error. Message also goes with a goodbye.
	Code    event.Code
	Message string
	// Connection is the client's ID, in its welcome.
	Connection string
	// PingInterval: of a welcome.
	PingInterval time.Duration
	// ReconnectIn: of a goodbye, if the client is welcome to come back.
	ReconnectIn time.Duration
	// Ticket: of a goodbye, what lets the client in elsewhere without its token.
	Ticket string
}

// movesCursor reports whether a frame carries the client's cursor.
func (f *Frame) movesCursor() bool {
	switch f.Type {
	case FrameSubscribed, FrameReset, FrameGoodbye:
		return true
	case FrameEvent:
		return !f.Event.ID.IsZero()
	}
	return false
}
