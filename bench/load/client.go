package load

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"relay/bench/measure"
)

// Transport is how the clients of a crowd connect.
type Transport string

// The transports.
const (
	WebSocket   Transport = "ws"
	EventStream Transport = "sse"
)

// The key is the example of RFC 6455, section 1.3, and the answer follows
// from it. A server cannot tell clients by it, so all may send the same.
const (
	handshakeKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	handshakeAnswer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// compression is what clients that may be sent compressed messages ask for: each
// message is to be read on its own.
const compression = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// channel is what all clients of one channel share.
type channel struct {
	index   int
	request []byte // the whole handshake
	prefix  []byte // how every event frame of the channel begins
}

func newChannel(index int, name string, o *CrowdOptions, e endpoint) *channel {
	c := &channel{index: index, prefix: fmt.Appendf(nil, `{"type":"event","channel":%q,`, name)}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s/v1/%s?channel=%s HTTP/1.1\r\nHost: %s\r\n", e.path, o.Transport, url.QueryEscape(name), e.host)
	if o.Token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", o.Token)
	}
	if o.Transport == WebSocket {
		b.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + handshakeKey + "\r\n")
		if o.Compress {
			b.WriteString("Sec-WebSocket-Extensions: " + compression + "\r\n")
		}
	} else {
		b.WriteString("Accept: text/event-stream\r\n")
	}
	b.WriteString("\r\n")
	c.request = b.Bytes()
	return c
}

// client is one connection and how far it has come. It does no input or
// output: a driver hands it what it read.
type client struct {
	channel   *channel
	transport Transport
	order     []measure.Sequence // one for each lane
	began     int64              // when it began to connect
	inflater  *inflater          // of its group; nil: it does not understand compression

	upgraded bool // the handshake has been answered
	live     bool // the relay has said `subscribed`
	chunks   *chunks
	// partial is the beginning of a frame whose end has not come.
	partial []byte
}

// receive takes what was read: the client's partial bytes, then fresh new
// ones that came at a time. It returns what is to be sent, if anything, which
// is valid until the next call. An error ends the client.
func (c *client) receive(b []byte, fresh int, at int64, t *Tally) (reply []byte, err error) {
	t.Bytes += uint64(fresh)
	if !c.upgraded {
		head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
		if !ok {
			return nil, c.keep(b)
		}
		if err := c.answered(head, rest); err != nil {
			return nil, err
		}
		c.upgraded = true
		b, fresh = rest, len(rest)
	}
	if c.chunks != nil {
		old := len(b) - fresh
		data, err := c.chunks.strip(b[old:])
		if err != nil {
			return nil, err
		}
		b = b[:old+len(data)]
	}
	var rest []byte
	if c.transport == WebSocket {
		rest, reply, err = c.readFrames(b, at, t)
	} else {
		rest, err = c.readMessages(b, at, t)
	}
	if err == nil && c.chunks != nil && c.chunks.ended {
		err = errors.New("the relay ended the stream")
	}
	if err != nil {
		return reply, err
	}
	return reply, c.keep(rest)
}

// keep holds on to the beginning of a frame. Most reads end with a frame, and
// then a client owns no memory.
func (c *client) keep(rest []byte) error {
	if len(rest) > maxFrame {
		return errFrameTooLarge
	}
	if len(rest) == 0 {
		c.partial = nil
		return nil
	}
	c.partial = append(c.partial[:0], rest...)
	return nil
}

// answered judges the response to the handshake.
func (c *client) answered(head, body []byte) error {
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	_, status, _ = bytes.Cut(status, []byte(" "))
	switch {
	case c.transport == WebSocket && bytes.HasPrefix(status, []byte("101")):
		if !bytes.Contains(head, []byte(handshakeAnswer)) {
			return errors.New("the answer to the WebSocket handshake has the wrong key")
		}
		if c.inflater != nil && !bytes.Contains(head, []byte("permessage-deflate")) {
			return errors.New("the relay does not compress")
		}
	case c.transport == EventStream && bytes.HasPrefix(status, []byte("200")):
		if bytes.Contains(bytes.ToLower(head), []byte("transfer-encoding: chunked")) {
			c.chunks = new(chunks)
		}
	default:
		return fmt.Errorf("the relay refused a client: %s %.200s", status, body)
	}
	return nil
}

func (c *client) readFrames(b []byte, at int64, t *Tally) (rest, reply []byte, err error) {
	for {
		f, rest, ok, err := cutFrame(b, c.inflater != nil)
		if err != nil || !ok {
			return rest, reply, err
		}
		b = rest
		switch f.opcode {
		case opText:
			err = c.text(f, at, t)
		case opPing:
			t.Pings++
			reply = appendPong(reply, f.payload)
		case opClose:
			err = closeError(f.payload)
		}
		if err != nil {
			return rest, reply, err
		}
	}
}

// text takes a frame of text.
func (c *client) text(f wsFrame, at int64, t *Tally) error {
	if !f.deflated {
		return c.message(f.payload, at, t)
	}
	text, err := c.inflater.inflate(f.payload)
	if err != nil {
		return err
	}
	t.Compressed++
	return c.message(text, at, t)
}

func closeError(payload []byte) error {
	if len(payload) < 2 {
		return errors.New("the relay closed the connection")
	}
	return fmt.Errorf("the relay closed the connection: %d %s", binary.BigEndian.Uint16(payload), payload[2:])
}

func (c *client) readMessages(b []byte, at int64, t *Tally) (rest []byte, err error) {
	for {
		data, rest, ok := cutMessage(b)
		if !ok {
			return rest, nil
		}
		b = rest
		if len(data) == 0 {
			t.Pings++ // a comment, or the pause before reconnects
			continue
		}
		if err := c.message(data, at, t); err != nil {
			return rest, err
		}
	}
}

// message takes one frame of the relay.
func (c *client) message(frame []byte, at int64, t *Tally) error {
	if !bytes.HasPrefix(frame, c.channel.prefix) {
		return c.other(frame, at, t)
	}
	s, ok := readStamp(frame)
	if !ok || s.lane >= len(c.order) {
		t.Strangers++
		return nil
	}
	t.Deliveries++
	t.Order.Add(c.order[s.lane].See(s.number))
	t.Latency.Add(time.Duration(at - s.sent))
	return nil
}

// other takes a frame that is not an event of the client's channel.
func (c *client) other(frame []byte, at int64, t *Tally) error {
	var f struct{ Type, Reason, Code, Message string }
	if err := json.Unmarshal(frame, &f); err != nil {
		return fmt.Errorf("the relay sent what is not JSON: %.100q", frame)
	}
	switch f.Type {
	case "subscribed":
		if !c.live {
			c.live = true
			t.Connect.Add(time.Duration(at - c.began))
		}
	case "event":
		t.Strangers++
	case "error":
		return fmt.Errorf("the relay says: %s (%s)", f.Message, f.Code)
	case "reset", "goodbye":
		return fmt.Errorf("the relay said %s: %s", f.Type, f.Reason)
	}
	return nil
}
