package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"relay/event"
)

// Types of frames from a relay.
const (
	FrameWelcome      = "welcome"
	FrameEvent        = "event"
	FrameSubscribed   = "subscribed"
	FrameUnsubscribed = "unsubscribed"
	FrameReset        = "reset"
	FrameError        = "error"
	FrameGoodbye      = "goodbye"
	FramePong         = "pong"
)

// Frame is what a relay says: one JSON object of the native wire. Which fields
// are set depends on Type; types and fields that this package does not know
// are in Raw.
type Frame struct {
	Type    string `json:"type"`
	Channel string `json:"channel"`
	// ID is a position: of an event (empty if it is not in history), or the
	// one after which events follow a subscribed or reset frame.
	ID string `json:"id"`
	// Event and Data are the publisher's.
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
	// Recovered, of a subscribed frame that answers a resume: whether every
	// event since is delivered.
	Recovered *bool `json:"recovered"`
	// Ref is the mark of the frame that this one answers.
	Ref json.RawMessage `json:"ref"`
	// Reason: of reset, unsubscribed and goodbye.
	Reason string `json:"reason"`
	// Code and Message: of error.
	Code    event.Code `json:"code"`
	Message string     `json:"message"`
	// Connection is this connection's ID, in a welcome.
	Connection     string `json:"connection"`
	PingIntervalMS int64  `json:"ping_interval_ms"`
	// ReconnectInMS: of a goodbye, when to come back.
	ReconnectInMS int64 `json:"reconnect_in_ms"`

	// Raw is the frame as it came.
	Raw []byte `json:"-"`
}

// ParseFrame reads a frame. The Frame keeps text.
func ParseFrame(text []byte) (Frame, error) {
	f := Frame{Raw: text}
	if err := json.Unmarshal(text, &f); err != nil {
		return Frame{}, fmt.Errorf("a frame that is no frame: %w", err)
	}
	if f.Type == "" {
		return Frame{}, errors.New("a frame without a type")
	}
	return f, nil
}

// millis makes a wait of a number from the wire, between zero and most.
func millis(n int64, most time.Duration) time.Duration {
	if n <= 0 {
		return 0
	}
	if n > most.Milliseconds() {
		return most
	}
	return time.Duration(n) * time.Millisecond
}
