package sockets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"relay/event"
)

// client is somebody who wants every event of some channels, and connects as
// often as that takes.
type client struct {
	s        *story
	dice     *rand.Rand
	name     string
	sse      bool
	deflate  bool
	channels []string

	at     map[string]event.Position // of the last event of each channel, or where it was told that it stands
	cursor string                    // the last ID of an event stream
}

func newClient(s *story, dice *rand.Rand) *client {
	c := &client{s: s, dice: dice, at: make(map[string]event.Position)}
	c.sse, c.deflate = dice.IntN(3) == 0, dice.IntN(2) == 0
	c.channels = slices.Clone(channels)[:1+dice.IntN(2)]
	c.name = fmt.Sprintf("seed %d, client of %d channels, sse %v, deflate %v", s.seed, len(c.channels), c.sse, c.deflate)
	return c
}

// maxLives is more than anybody can need.
const maxLives = 100

func (c *client) run() {
	short := c.dice.IntN(4) // how many connections it gives up early
	for n := 0; !c.hasAll(); n++ {
		l := &life{client: c, subscribed: make(map[string]bool)}
		if n < short {
			l.reads = 1 + c.dice.IntN(60)
		}
		if err := l.live(); err != nil || n == maxLives {
			c.s.t.Errorf("%s, connection %d (%s, goodbye %q, close %d): %v", c.name, n+1, l.way.name, l.goodbye, l.code, err)
			return
		}
	}
}

func (c *client) hasAll() bool {
	for _, channel := range c.channels {
		if int(c.at[channel].Offset) < len(c.s.events[channel]) {
			return false
		}
	}
	return true
}

// request is the head of its request.
func (c *client) request() []byte {
	q := url.Values{"channel": c.channels}
	for _, channel := range c.channels {
		since := "start"
		if at := c.at[channel]; !c.sse && !at.IsZero() {
			since = at.String()
		}
		q.Add("since", since)
	}
	var b bytes.Buffer
	door := "ws"
	if c.sse {
		door = "sse"
	}
	fmt.Fprintf(&b, "GET /v1/%s?%s HTTP/1.1\r\nHost: %s\r\n", door, q.Encode(), c.s.addr)
	switch {
	case c.sse && c.cursor != "":
		fmt.Fprintf(&b, "Last-Event-ID: %s\r\n", c.cursor)
	case c.sse:
	default:
		b.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	}
	if !c.sse && c.deflate {
		b.WriteString("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// way is a way to end a connection.
type way struct {
	name   string
	send   []byte
	deaf   bool // the client reads no further
	reset  bool // … and has the connection reset
	code   int  // of the relay's close frame; 0: there is none
	reason event.Reason
}

// ways are those that a client knows.
func (c *client) ways() []way {
	gone := way{name: "gone", deaf: true, reason: event.ReasonConnectionLost}
	reset := way{name: "reset", deaf: true, reset: true, reason: event.ReasonConnectionLost}
	if c.sse {
		return []way{gone, reset, {name: "too talkative", send: make([]byte, 6<<10), reason: event.ReasonConnectionLost}}
	}
	half, big := gone, strings.Repeat("x", maxFrame+1+c.dice.IntN(100_000))
	half.name, half.send = "gone in the middle", clientFrame(fin|opText, big[:1000])[:1+c.dice.IntN(900)]
	list := []way{
		gone, reset, half, c.politely(), c.politely(),
		{name: "too big", send: clientFrame(fin|opText, big), code: 1009, reason: event.ReasonTooBig},
		{name: "too big in parts", send: slices.Concat(clientFrame(opText, big[:maxFrame]), clientFrame(opContinuation, "x"), clientFrame(fin|opContinuation, "")),
			code: 1009, reason: event.ReasonTooBig},
		{name: "reserved", send: clientFrame(fin|3, ""), code: 1002, reason: event.ReasonConnectionLost},
		{name: "a lone end", send: clientFrame(fin|opContinuation, "x"), code: 1002, reason: event.ReasonConnectionLost},
		{name: "no mask", send: []byte{fin | opText, 1, 'x'}, reason: event.ReasonConnectionLost},
	}
	if c.deflate {
		list = append(list, way{name: "too big underneath", send: clientFrame(fin|deflated|opText, deflate(big)), code: 1009, reason: event.ReasonTooBig})
	}
	return list
}

func (c *client) politely() way {
	code := []int{1000, 1001, 4000 + c.dice.IntN(1000)}[c.dice.IntN(3)]
	return way{name: "close", send: closeFrame(code, "bye é"), code: code, reason: event.ReasonClientClosed}
}

// life is one connection of a client.
type life struct {
	*client
	conn  *net.TCPConn
	reads int // after which it gives up; 0: never

	buffer     []byte // what has come and was not understood yet
	upgraded   bool
	connection string
	subscribed map[string]bool
	quick      int      // the last event without history
	pings      []string // that were not answered yet
	asks, bad  int      // messages that were not answered yet
	spent      int      // of what the relay lets a client send
	goodbye    string
	code       int // of the relay's close frame
	text       string
	closed     bool

	way  way
	left time.Time // when the client began to leave
	slow bool      // the machine is so slow that a message took longer than the relay waits for one
}

// live reports what was wrong with a connection, from its beginning to its end.
func (l *life) live() error {
	if err := l.connect(); err != nil {
		return err
	}
	defer l.conn.Close()
	pace := l.dice.IntN(3)
	for n := 1; ; n++ {
		if l.left.IsZero() && (l.hasAll() || n == l.reads) {
			l.leave(n == l.reads)
		}
		if l.way.deaf {
			break
		}
		if l.left.IsZero() {
			l.hesitate(pace)
			l.say()
		}
		err := l.read(pace)
		if errors.Is(err, errOver) {
			break
		}
		if err != nil {
			return err
		}
	}
	if l.way.reset {
		_ = l.conn.SetLinger(0)
	}
	_ = l.conn.Close()
	return l.judge()
}

func (l *life) connect() error {
	conn, err := net.Dial("tcp", l.s.addr)
	if err != nil {
		return err
	}
	l.conn = conn.(*net.TCPConn)
	if l.dice.IntN(2) == 0 {
		_ = l.conn.SetReadBuffer(32 << 10)
	}
	first := l.request()
	if l.reads > 0 && l.dice.IntN(6) == 0 {
		// It leaves with its first words. What stands behind a request is the
		// relay's to read only once it has answered.
		l.way, l.left = l.ways()[l.dice.IntN(len(l.ways()))], time.Now()
		first = append(first, l.way.send...)
	} else if !l.sse && l.dice.IntN(3) == 0 {
		first = append(first, l.ping()...)
	}
	l.send(first)
	return nil
}

// send sends in one piece or in many. That the relay is gone is found by reading.
func (l *life) send(b []byte) {
	began := time.Now()
	defer func() { l.slow = l.slow || time.Since(began) > 4*time.Second }()
	_ = l.conn.SetWriteDeadline(began.Add(patience))
	if len(b) < 2000 && l.dice.IntN(4) == 0 {
		for i := range b {
			_, _ = l.conn.Write(b[i : i+1])
		}
		return
	}
	_, _ = l.conn.Write(b)
}

// leave begins to end the connection.
func (l *life) leave(early bool) {
	list := l.ways()
	l.way = list[l.dice.IntN(len(list))]
	if !early && !l.sse {
		l.way = l.politely()
	}
	l.left = time.Now()
	l.send(l.way.send)
}

// hesitate is how slow readers read.
func (l *life) hesitate(pace int) {
	switch {
	case pace == 1:
		time.Sleep(50 * time.Microsecond)
	case pace == 2 && l.dice.IntN(20) == 0:
		from, _ := l.s.told.now()
		eventually(l.s.t, "the story to go on", func() bool {
			steps, over := l.s.told.now()
			return over || steps >= from+3
		})
	}
}

// maxSpent is well below what the relay lets a client send at once.
const maxSpent = 120

// say sends something now and then, whatever is under way in the other direction.
func (l *life) say() {
	if l.sse || !l.upgraded || l.spent > maxSpent || l.dice.IntN(4) > 0 {
		return
	}
	const ask = `{"type":"ping"}`
	switch l.dice.IntN(7) {
	case 0:
		l.send(l.ping())
	case 1:
		l.send(l.ask(clientFrame(fin|opText, ask)))
	case 2:
		l.send(slices.Concat(clientFrame(opText, ask[:5]), l.ping(), clientFrame(opContinuation, ""), l.ask(clientFrame(fin|opContinuation, ask[5:]))))
	case 3: // as large as may be
		pad := `{"type":"ping","pad":"` + strings.Repeat("x", maxFrame)
		l.send(l.ask(clientFrame(fin|opText, pad[:maxFrame-2]+`"}`)))
	case 4:
		var many []byte
		for range l.dice.IntN(20) {
			many = append(append(many, l.ping()...), l.ask(clientFrame(fin|opText, ask))...)
		}
		l.send(many)
	case 5:
		if l.deflate {
			l.send(l.ask(clientFrame(fin|deflated|opText, deflate(`{"type":"ping","pad":"`+strings.Repeat("again ", l.dice.IntN(1000))+`"}`))))
		}
	case 6:
		l.bad++
		l.spent += 16
		l.send(clientFrame(fin|opBinary, "?"))
	}
}

func (l *life) ping() []byte {
	payload := noise(l.dice, l.dice.IntN(126))
	l.pings = append(l.pings, payload)
	l.spent++
	return clientFrame(fin|opPing, payload)
}

func (l *life) ask(frame []byte) []byte {
	l.asks++
	l.spent++
	return frame
}

// errOver says that the relay has ended the connection.
var errOver = errors.New("the connection is over")

// read reads once, and understands what it can.
func (l *life) read(pace int) error {
	b := make([]byte, 64<<10)
	if pace == 1 && l.left.IsZero() {
		b = b[:1+l.dice.IntN(2000)]
	}
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := l.conn.Read(b)
	l.buffer = append(l.buffer, b[:n]...)
	if wrong := l.understand(); wrong != nil {
		return wrong
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("nothing came for %v; %d events are there, %d pings and %d messages wait for answers",
			patience, l.at["a"].Offset, len(l.pings), l.asks)
	case errors.Is(err, io.EOF) && len(l.buffer) > 0 && l.closed:
		return fmt.Errorf("%d bytes follow the end", len(l.buffer))
	case err != nil:
		return errOver
	}
	return nil
}

// judge says whether the connection may end as it did.
func (l *life) judge() error {
	if l.way.name == "close" && l.code == l.way.code && len(l.pings)+l.asks+l.bad > 0 {
		return fmt.Errorf("closed with %d pings and %d messages unanswered", len(l.pings), l.asks+l.bad)
	}
	allowed := []event.Reason{l.way.reason}
	if l.sse && l.way.deaf {
		allowed = append(allowed, event.ReasonClientClosed)
	}
	behind := !l.s.roomy && l.saidGoodbye(event.ReasonSlow, 4408, string(event.ReasonSlow))
	expelled := l.s.guests.wasExpelled(l.connection)
	if expelled {
		allowed = append(allowed, event.ReasonDisconnected)
		expelled = l.saidGoodbye(event.ReasonDisconnected, 4403, expelText)
	}
	// Who was given time to read the last words, and has not, is cut off.
	late := l.slow || !l.left.IsZero() && time.Since(l.left) > 4*time.Second
	if !l.s.roomy {
		allowed = append(allowed, event.ReasonSlow)
	}
	if l.s.pinging {
		allowed = append(allowed, event.ReasonPingTimeout, event.ReasonSlow)
	}
	reason := event.Reason("")
	if l.connection != "" {
		if reason = l.s.ends.of(l.s.t, l.connection); !slices.Contains(allowed, reason) && !late {
			return fmt.Errorf("the relay says that it ended as %s", reason)
		}
	}
	switch {
	case l.way.deaf, behind, expelled, late, l.code == l.way.code && !l.left.IsZero():
		return nil
	case reason == event.ReasonPingTimeout || reason == event.ReasonSlow:
		return nil // cut off: it took nothing
	}
	return errors.New("it ended otherwise")
}

// saidGoodbye reports whether the relay closed for a reason, and told it as it should.
func (l *life) saidGoodbye(reason event.Reason, code int, text string) bool {
	return l.goodbye == string(reason) && (l.sse || l.code == code && l.text == text)
}
