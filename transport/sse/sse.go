// Package sse is the EventSource door: GET /v1/sse. Channels are named in the
// query; frames come as the data of plain messages, with a cursor over all of
// the stream's channels as their ID.
package sse

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"

	"relay/event"
	"relay/hub"
	"relay/transport/handshake"
	"relay/transport/native"
	"relay/transport/outbox"
)

// MaxChannels bounds the channels of one stream: the cursor over them travels
// in a header with each reconnect.
const MaxChannels = 64

const (
	// writePatience is how long one write may take before the client counts as too slow.
	writePatience = 30 * time.Second
	// closePatience is how long a client may take to read its last frames.
	closePatience = 5 * time.Second
)

// Options configure the door.
type Options struct {
	Hub    *hub.Hub
	Policy *handshake.Policy
	// QueueBytes bounds what waits for one client; beyond it the client is closed as too slow.
	QueueBytes int
	Log        *slog.Logger
}

// Handler answers the requests of the door, for pages of other origins too
// where the policy allows them.
func Handler(o Options) http.Handler {
	return o.Policy.CORS(&door{o, streamFormat{}})
}

type door struct {
	Options
	format hub.Format
}

// ServeHTTP is the life of one stream. An EventSource never comes back after
// a status other than 200, so statuses are for what will not pass by itself;
// what will (a drain, a full relay) is said in the stream.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	access, query, p := d.Policy.Enter(r, min(MaxChannels, d.Hub.MaxChannels()))
	if p != nil {
		d.Log.Debug("a client was refused", "transport", "sse", "url", handshake.RedactedURL(r), "detail", p.Detail)
		p.Write(w)
		return
	}
	s := &stream{w: w, control: http.NewResponseController(w), gone: r.Context().Done()}
	s.out = outbox.New(d.QueueBytes, s.tooSlow)
	if err := s.open(); err != nil {
		d.Log.Debug("a stream could not be opened", "error", err)
		return
	}
	conn, err := d.Hub.Connect(hub.Newcomer{Grant: access.Grant, Resumes: query.Resumes, Sink: s, Format: d.format})
	if err != nil {
		s.turnAway(d.format, err)
		return
	}
	since := lastSeen(r, query)
	var requests []hub.Request
	for i, channel := range query.Channels {
		requests = append(requests, hub.Request{Channel: channel, Since: since[i], Named: true})
	}
	s.conn = conn
	conn.Subscribe(requests...)
	conn.Gone(s.run(d.Hub.PingInterval()))
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

// stream is one response. The handler's goroutine writes it.
type stream struct {
	// Fixed.
	w       http.ResponseWriter
	control *http.ResponseController
	out     *outbox.Outbox
	gone    <-chan struct{}

	conn *hub.Conn // set before the first subscription
}

// tooSlow is called when too much has waited for the client for too long.
func (s *stream) tooSlow() {
	s.conn.Close(event.ReasonSlow, "the client reads more slowly than events come; it can resume")
}

// Send implements hub.Sink.
func (s *stream) Send(head, body []byte) bool { return s.out.Send(head, body) }

// Ready implements hub.Sink.
func (s *stream) Ready(size int) bool { return s.out.Ready(size) }

// Close implements hub.Sink. A client that does not read cannot hold it up.
func (s *stream) Close(reason event.Reason, text string, last []byte) {
	_ = s.control.SetWriteDeadline(time.Now().Add(closePatience))
	s.out.Close(reason, text, last)
}

// open sends the headers and the pause before reconnects. A pause that was
// said once sticks to the EventSource, so every stream begins with a normal
// one, in case the last one ended with a long one.
func (s *stream) open() error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would gather the stream
	h.Set("X-Content-Type-Options", "nosniff")
	_ = s.control.SetWriteDeadline(time.Now().Add(writePatience))
	s.w.WriteHeader(http.StatusOK)
	if _, err := fmt.Fprintf(s.w, "retry: %d\n\n", (time.Second + rand.N(2*time.Second)).Milliseconds()); err != nil {
		return err
	}
	return s.control.Flush()
}

// turnAway tells a client in the stream to come back later.
func (s *stream) turnAway(format hub.Format, why error) {
	reason, wait := event.ReasonTooMany, 5*time.Second
	if errors.Is(why, hub.ErrDraining) {
		reason, wait = event.ReasonDraining, time.Second
	}
	f := &hub.Frame{Type: hub.FrameGoodbye, Reason: string(reason), Message: why.Error(), ReconnectIn: wait + rand.N(wait)}
	_, _ = s.w.Write(format.Encode(f)) // the client has gone, or reads it
}

// run writes until the hub closes or the client goes, and says why it ended.
func (s *stream) run(interval time.Duration) event.Reason {
	// The first ping comes at a random time: thousands of clients that came
	// together should not be pinged together for ever.
	ping := time.NewTimer(rand.N(interval))
	defer ping.Stop()
	var buffer []byte
	for {
		buffer = buffer[:0]
		var frames []outbox.Frame
		var end *outbox.End
		select {
		case <-s.out.Wake():
			frames, end = s.out.Take()
			for _, f := range frames {
				buffer = append(append(buffer, f.Head...), f.Body...)
			}
		case <-ping.C:
			// A comment: the client does not notice, proxies and NATs do.
			buffer = append(buffer, ":\n\n"...)
			ping.Reset(interval)
		case <-s.gone:
			return event.ReasonClientClosed
		}
		if err := s.write(buffer); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return event.ReasonSlow
			}
			return event.ReasonConnectionLost
		}
		if s.out.Done(frames) {
			s.conn.Drained()
		}
		if end != nil {
			return end.Reason
		}
	}
}

// write writes and flushes. Once the hub has closed, the deadline that Close
// set stands; the check after setting a longer one catches a Close in between.
func (s *stream) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writePatience))
	select {
	case <-s.out.Closing():
		_ = s.control.SetWriteDeadline(time.Now().Add(closePatience))
	default:
	}
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.control.Flush()
}

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

func (streamFormat) HasCursor() bool { return true }

func (streamFormat) Cursor(cursor []byte) []byte {
	b := make([]byte, 0, len(cursor)+len("id: \n"))
	b = append(b, "id: "...)
	b = append(b, cursor...)
	return append(b, '\n')
}
