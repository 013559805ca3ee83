// Package sse is the EventSource door: GET /v1/sse. Channels are named in the
// query; frames come as the data of plain messages, with a cursor over all of
// the stream's channels as their ID.
package sse

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"relay/event"
	"relay/hub"
	"relay/transport/handshake"
	"relay/transport/native"
	"relay/transport/socket"
)

// MaxChannels bounds the channels of one stream: the cursor over them travels
// in a header with each reconnect.
const MaxChannels = 64

// closePatience is how long a client may take to read its last frames.
const closePatience = 5 * time.Second

// Options configure the door.
type Options struct {
	Hub    *hub.Hub
	Loop   *socket.Loop
	Policy *handshake.Policy
	// QueueBytes bounds what waits for one client; beyond it the client is closed as too slow.
	QueueBytes int
	Log        *slog.Logger
}

// Handler answers the requests of the door, for pages of other origins too
// where the policy allows them.
func Handler(o Options) http.Handler {
	d := &door{o, &socket.Options{Limit: o.QueueBytes, Ping: comment}}
	return o.Policy.CORS(d, d.refused)
}

type door struct {
	Options
	sockets *socket.Options
}

func (d *door) refused(code event.Code) { d.Hub.Refused(streamFormat{}.Transport(), code) }

// ServeHTTP is the life of one stream. An EventSource never comes back after
// a status other than 200, so statuses are for what will not pass by itself;
// what will (a drain, a full relay) is said in the stream.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	access, query, p := d.Policy.Enter(r, min(MaxChannels, d.Hub.MaxChannels()))
	if p != nil {
		d.Log.Debug("a client was refused", "transport", "sse", "url", handshake.RedactedURL(r), "detail", p.Detail)
		d.refused(p.Code)
		p.Write(w)
		return
	}
	conn, early, err := socket.Hijack(w)
	if err != nil {
		d.Log.Debug("a stream could not be opened", "error", err)
		return
	}
	s := &stream{}
	if s.sock, err = d.Loop.Take(conn, d.sockets, s); err != nil {
		d.Log.Error("a connection could not be taken over", "error", err)
		return
	}
	s.sock.Send(nil, opening(w.Header()))
	s.join(d, r, access, query)
	s.sock.Start(early)
}

// join makes the stream one of the hub's connections.
func (s *stream) join(d *door, r *http.Request, access handshake.Access, query handshake.Query) {
	var err error
	if s.conn, err = d.Hub.Connect(hub.Newcomer{Grant: access.Grant, Resumes: query.Resumes, Sink: s, Format: streamFormat{}}); err != nil {
		s.turnAway(d, err)
		return
	}
	since := lastSeen(r, query)
	var requests []hub.Request
	for i, channel := range query.Channels {
		requests = append(requests, hub.Request{Channel: channel, Since: since[i], Named: true})
	}
	s.conn.Subscribe(requests...)
}

// lastSeen is where the client wants to go on. Last-Event-ID beats the query:
// a browser that reconnects repeats the address it began with. But a channel
// that it had not been told about before it lost the stream is not in that
// cursor, and still wants what the address says.
func lastSeen(r *http.Request, query handshake.Query) []hub.Since {
	asked := hub.ParseSince(query.Since, query.Channels)
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		return asked
	}
	since := hub.ParseSince([]string{id}, query.Channels)
	for i := range since {
		if since[i].IsNow() {
			since[i] = asked[i]
		}
	}
	return since
}

// stream is one EventSource: what the hub sends goes to its socket. Its client
// has said all it has to say in the request.
type stream struct {
	// Fixed before the socket is started.
	sock *socket.Socket
	conn *hub.Conn // nil for a client that was turned away

	received int // bytes behind the request; owned by the goroutine that reads
}

// Received implements socket.Owner. What still comes is not looked at, and a
// client that sends much of it is no EventSource.
func (s *stream) Received(b []byte) (used int) {
	if s.received += len(b); s.received > maxReceived {
		s.sock.Abort(socket.Lost)
	}
	return len(b)
}

// maxReceived is how many bytes a client may send behind its request.
const maxReceived = 4 << 10

// Drained implements socket.Owner.
func (s *stream) Drained() {
	if s.conn != nil {
		s.conn.Drained()
	}
}

// TooSlow implements socket.Owner.
func (s *stream) TooSlow() {
	if s.conn != nil {
		s.conn.TooSlow()
	}
}

// Ended implements socket.Owner.
func (s *stream) Ended(how socket.Ending) {
	if s.conn == nil {
		return
	}
	switch how {
	case socket.Left:
		s.conn.Gone(event.ReasonClientClosed)
	case socket.Stuck:
		s.conn.Gone(event.ReasonSlow)
	default:
		s.conn.Gone(event.ReasonConnectionLost)
	}
}

// Send implements hub.Sink.
func (s *stream) Send(head, body []byte) bool { return s.sock.Send(head, body) }

// Ready implements hub.Sink.
func (s *stream) Ready(size int) bool { return s.sock.Ready(size) }

// Close implements hub.Sink.
func (s *stream) Close(reason event.Reason, _ string, last []byte) {
	patience := closePatience
	if last == nil {
		patience = 0 // nobody is there to read it
	}
	s.sock.Finish(last, reason == event.ReasonSlow, patience)
}

// opening is the response before its first event. It has no length and ends
// with the connection (RFC 9112, section 6.3), so that nothing needs to be
// wrapped in chunks. The pause before a reconnect is a normal one: a long one
// would stick.
func opening(h http.Header) []byte {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would gather the stream
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&b) // a buffer takes everything
	fmt.Fprintf(&b, "\r\nretry: %d\n\n", (time.Second + rand.N(2*time.Second)).Milliseconds())
	return b.Bytes()
}

// turnAway ends a stream that came while the hub filled up or began to drain:
// an EventSource would not come back after another status than 200.
func (s *stream) turnAway(d *door, why error) {
	reason, code, wait := event.ReasonTooMany, event.CodeTooMany, 5*time.Second
	if errors.Is(why, hub.ErrDraining) {
		reason, code, wait = event.ReasonDraining, event.CodeDraining, time.Second
	}
	d.refused(code)
	f := &hub.Frame{Type: hub.FrameGoodbye, Reason: string(reason), Message: why.Error(), ReconnectIn: wait + rand.N(wait)}
	s.Close(reason, "", streamFormat{}.Encode(f))
}

// comment is what a stream is pinged with: the client does not notice, proxies
// and NATs do.
var comment = []byte(":\n\n")

// streamFormat writes a frame as a message of an event stream (HTML standard,
// section 9.2). JSON without line breaks fits one data line.
type streamFormat struct{}

func (streamFormat) Transport() string { return "sse" }

func (streamFormat) Encode(f *hub.Frame) []byte {
	if f.Type == hub.FrameLive {
		return nil
	}
	b := make([]byte, 0, native.SizeHint(f)+len("data: \n\n"))
	if f.Type == hub.FrameGoodbye && f.ReconnectIn > 0 {
		b = append(b, "retry: "...)
		b = append(strconv.AppendInt(b, f.ReconnectIn.Milliseconds(), 10), '\n')
	}
	b = append(b, "data: "...)
	b = native.AppendFrame(b, f)
	return append(b, "\n\n"...)
}

func (streamFormat) Joins() bool { return true }

func (streamFormat) HasCursor() bool { return true }

func (streamFormat) Cursor(cursor []byte) []byte {
	b := make([]byte, 0, len(cursor)+len("id: \n"))
	b = append(b, "id: "...)
	b = append(b, cursor...)
	return append(b, '\n')
}
