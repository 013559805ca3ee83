package sockets

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"relay/event"
)

// understand takes what is whole off the buffer.
func (l *life) understand() error {
	for {
		size, err := l.next(l.buffer)
		if err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
		if l.closed && !l.sse {
			return l.nothingFollows(size)
		}
		l.buffer = l.buffer[size:]
	}
}

// nothingFollows: the close frame itself was the last.
func (l *life) nothingFollows(size int) error {
	if len(l.buffer) > size {
		return fmt.Errorf("%d bytes follow the close frame: %.60q", len(l.buffer)-size, l.buffer[size:])
	}
	l.buffer = nil
	return nil
}

// next understands what stands first in b, and returns its size.
func (l *life) next(b []byte) (size int, err error) {
	switch {
	case !l.upgraded:
		return l.answered(b)
	case l.sse:
		m, size, err := cutMessage(b)
		if err != nil || size == 0 || m.data == "" {
			return size, err
		}
		return size, l.hear([]byte(m.data), m)
	case l.closed && len(b) > 0:
		return 0, fmt.Errorf("after the close frame came %.60q", b)
	}
	f, size, err := cutFrame(b, l.deflate)
	if err != nil || size == 0 {
		return size, err
	}
	switch f.opcode {
	case opText:
		err = l.hear(f.payload, message{})
	case opPing:
		if l.left.IsZero() {
			l.send(clientFrame(fin|opPong, string(f.payload)))
		}
	case opPong:
		if len(l.pings) == 0 || l.pings[0] != string(f.payload) {
			return 0, fmt.Errorf("a pong %q for the pings %q", f.payload, l.pings)
		}
		l.pings = l.pings[1:]
	case opClose:
		l.closed = true
		if len(f.payload) >= 2 {
			l.code, l.text = int(binary.BigEndian.Uint16(f.payload)), string(f.payload[2:])
		}
	}
	return size, err
}

// answered judges the answer to the request.
func (l *life) answered(b []byte) (size int, err error) {
	head, _, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole {
		return 0, nil
	}
	want := "HTTP/1.1 101 Switching Protocols\r\n"
	if l.sse {
		want = "HTTP/1.1 200 OK\r\n"
	}
	extended := bytes.Contains(head, []byte("permessage-deflate"))
	if !bytes.HasPrefix(b, []byte(want)) || extended != (l.deflate && !l.sse) {
		return 0, fmt.Errorf("the answer is %q", head)
	}
	l.upgraded = true
	return len(head) + 4, nil
}

// frame is a frame of the native wire.
type frame struct {
	Type, Channel, ID, Event, Connection, Code, Reason string
	Data                                               json.RawMessage
}

// hear takes a frame of the native wire, which must make sense after those
// before it. m is the message that it came in, over an event stream.
func (l *life) hear(text []byte, m message) error {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("%w: %.100q", err, text)
	}
	if (l.connection == "") != (f.Type == "welcome") || l.goodbye != "" {
		return fmt.Errorf("in the wrong place: %.100q", text)
	}
	var err error
	switch f.Type {
	case "welcome":
		l.connection = f.Connection
		l.s.guests.add(l.connection)
	case "subscribed":
		err = l.subscribe(&f)
	case "event":
		err = l.take(&f)
	case "pong":
		l.asks--
	case "error":
		err = l.refused(&f)
	case "goodbye":
		l.goodbye = f.Reason
	default:
		err = errors.New("not expected")
	}
	if err == nil && l.asks < 0 {
		err = errors.New("nobody asked")
	}
	if err == nil && m.hasID {
		err = l.point(m.id)
	}
	if err != nil {
		return fmt.Errorf("%.150q: %w", text, err)
	}
	return nil
}

func (l *life) subscribe(f *frame) error {
	at, err := event.ParsePosition(f.ID)
	if err != nil {
		return err
	}
	stood := l.at[f.Channel]
	if l.subscribed[f.Channel] || at.Offset != stood.Offset || !stood.IsZero() && at != stood {
		return fmt.Errorf("it stood at %s", stood)
	}
	l.subscribed[f.Channel] = true
	l.at[f.Channel] = at
	return nil
}

func (l *life) take(f *frame) error {
	if f.ID == "" {
		n, err := strconv.Atoi(string(f.Data))
		if err != nil || n <= l.quick || f.Event != "quick" {
			return fmt.Errorf("after %d", l.quick)
		}
		l.quick = n
		return nil
	}
	at, err := event.ParsePosition(f.ID)
	if err != nil {
		return err
	}
	last, all := l.at[f.Channel], l.s.events[f.Channel]
	if !l.subscribed[f.Channel] || at.Offset != last.Offset+1 || int(at.Offset) > len(all) || f.Event != "n" {
		return fmt.Errorf("after %s", last)
	}
	if string(f.Data) != all[at.Offset-1] {
		return errors.New("this was not published")
	}
	l.at[f.Channel] = at
	return nil
}

// refused takes an error, which must have a cause.
func (l *life) refused(f *frame) error {
	switch {
	case f.Code == string(event.CodeBadFrame) && l.bad > 0:
		l.bad--
		return nil
	case f.Code == string(event.CodeTooLarge) && l.way.reason == event.ReasonTooBig:
		return nil
	}
	return errors.New("without a cause")
}

// point takes the cursor of an event stream, which must name where it stands.
func (l *life) point(id string) error {
	cursor, err := event.ParseCursor(id)
	if err != nil {
		return err
	}
	for _, channel := range l.channels {
		at, known := cursor.Find(event.HashChannel(channel))
		if len(l.channels) == 1 {
			at, known = cursor.Single()
		}
		if want := l.at[channel]; at != want || known != !want.IsZero() {
			return fmt.Errorf("the cursor has %s for a stream that stands at %s", at, want)
		}
	}
	l.cursor = id
	return nil
}
