// Package native is the relay's own wire: JSON frames, the same over
// WebSocket, SSE and polling. The doors share it; it knows no transport.
package native

import (
	"encoding/json"
	"strconv"
	"time"

	"relay/hub"
)

// AppendFrame appends a frame as one JSON object without line breaks.
func AppendFrame(b []byte, f *hub.Frame) []byte {
	b = append(b, `{"type":`...)
	b = appendString(b, string(f.Type))
	switch f.Type {
	case hub.FrameEvent:
		b = appendField(b, "channel", f.Channel)
		if !f.ID.IsZero() {
			b = append(b, `,"id":"`...)
			b = append(f.ID.Append(b), '"')
		}
		b = appendField(b, "event", f.Event.Name)
		b = append(b, `,"data":`...)
		b = append(b, f.Event.Data...)
	case hub.FrameWelcome:
		b = appendField(b, "connection", f.Connection)
		b = appendMillis(b, "ping_interval_ms", f.PingInterval)
	case hub.FrameSubscribed, hub.FrameReset:
		b = appendField(b, "channel", f.Channel)
		b = append(b, `,"id":"`...)
		b = append(f.ID.Append(b), '"')
		b = appendIfSet(b, "reason", f.Reason)
		if f.Recovered != nil {
			b = append(b, `,"recovered":`...)
			b = strconv.AppendBool(b, *f.Recovered)
		}
	case hub.FrameUnsubscribed:
		b = appendField(b, "channel", f.Channel)
		b = appendField(b, "reason", f.Reason)
	case hub.FrameError:
		b = appendField(b, "code", string(f.Code))
		b = appendField(b, "message", f.Message)
		b = appendIfSet(b, "channel", f.Channel)
	case hub.FrameGoodbye:
		b = appendField(b, "reason", f.Reason)
		b = appendIfSet(b, "message", f.Message)
		if f.ReconnectIn > 0 {
			b = appendMillis(b, "reconnect_in_ms", f.ReconnectIn)
		}
		b = appendIfSet(b, "ticket", f.Ticket)
	}
	if f.Ref != "" {
		b = append(b, `,"ref":`...)
		b = append(b, f.Ref...)
	}
	return append(b, '}')
}

// SizeHint is about how long a frame will be.
func SizeHint(f *hub.Frame) int {
	n := 160 + len(f.Channel) + len(f.Message) + len(f.Ticket)
	if f.Event != nil {
		n += len(f.Event.Name) + len(f.Event.Data)
	}
	return n
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return appendString(b, value)
}

func appendIfSet(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendField(b, name, value)
}

func appendMillis(b []byte, name string, d time.Duration) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, d.Milliseconds(), 10)
}

// appendString appends a JSON string. Most names need no escape.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			// A string always marshals.
			text, _ := json.Marshal(s)
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
