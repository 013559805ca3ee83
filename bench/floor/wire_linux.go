package floor

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// request is what the floor wants to know of an HTTP request.
type request struct {
	post    bool
	stream  bool // EventSource; else WebSocket
	channel string
	body    []byte
}

var (
	headEnd      = []byte("\r\n\r\n")
	lengthHeader = []byte("\r\nContent-Length: ")
)

// cutRequest takes the first request off b; ok is false if it is not whole.
func cutRequest(b []byte) (r request, rest []byte, ok bool) {
	head, rest, ok := bytes.Cut(b, headEnd)
	if !ok {
		return r, b, false
	}
	if r.post = head[0] == 'P'; !r.post {
		line, _, _ := bytes.Cut(head, []byte(" HTTP/"))
		r.stream = bytes.Contains(line, []byte("/v1/sse"))
		_, channel, _ := bytes.Cut(line, []byte("channel="))
		r.channel = string(channel)
		return r, rest, true
	}
	_, after, _ := bytes.Cut(head, lengthHeader)
	size := leadingNumber(after)
	if len(rest) < size {
		return r, b, false
	}
	r.body = rest[:size]
	return r, rest[size:], true
}

func leadingNumber(b []byte) (n int) {
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}

var (
	channelMark = []byte(`{"channel":"`)
	eventMark   = []byte(`","event":"`)
)

// cutEvent takes the first event off the body of a POST. tail is the event's
// name and data as they stand in the body: a frame ends with the same bytes.
func cutEvent(body []byte) (channel, tail, rest []byte, ok bool) {
	at := bytes.Index(body, channelMark)
	if at < 0 {
		return nil, nil, nil, false
	}
	body = body[at+len(channelMark):]
	end := bytes.Index(body, eventMark)
	if end < 0 {
		return nil, nil, nil, false
	}
	channel, body = body[:end], body[end+1:]
	if next := bytes.Index(body, channelMark); next >= 0 {
		return channel, body[:next-1], body[next:], true // without the comma
	}
	return channel, bytes.TrimSuffix(body, []byte("]")), nil, true
}

// topic is a channel and its subscribers.
type topic struct {
	name    string
	offset  uint64
	sockets []*conn
	streams []*conn
}

// The time and the tag of a position only have to be as long as real ones.
const (
	positionHead = "1795334400123-"
	positionTail = "-Xk3vQ9"
)

func appendPosition(b []byte, offset uint64) []byte {
	b = append(b, positionHead...)
	return append(strconv.AppendUint(b, offset, 10), positionTail...)
}

// appendJSON appends an event as the relay's native wire has it.
func (t *topic) appendJSON(b, tail []byte) []byte {
	b = append(b, `{"type":"event","channel":"`...)
	b = append(b, t.name...)
	b = append(b, `","id":"`...)
	b = appendPosition(b, t.offset)
	b = append(b, '"')
	return append(b, tail...)
}

// appendSubscribed appends the frame that ends the handshake.
func (t *topic) appendSubscribed(b []byte) []byte {
	b = append(b, `{"type":"subscribed","channel":"`...)
	b = append(b, t.name...)
	b = append(b, `","id":"`...)
	return append(appendPosition(b, t.offset), `"}`...)
}

// appendText appends a text frame of WebSocket.
func appendText(b, text []byte) []byte {
	b = append(b, 0x81)
	switch n := len(text); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, text...)
}

// appendMessage appends a message of an event stream.
func (t *topic) appendMessage(b, text []byte) []byte {
	b = appendPosition(append(b, "id: "...), t.offset)
	b = append(b, "\ndata: "...)
	b = append(b, text...)
	return append(b, "\n\n"...)
}
