package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"

	"github.com/coder/websocket"

	"relay/event"
	"relay/hub"
	"relay/transport/handshake"
	"relay/transport/native"
	"relay/transport/outbox"
)

const (
	// writePatience is how long one write may take before the client counts as too slow.
	writePatience = 30 * time.Second
	// closePatience is how long a client may take to read its last frames and
	// to answer the close frame.
	closePatience = 5 * time.Second
	// messagePatience is how long a client may take to send one message.
	messagePatience = 10 * time.Second

	// A client may send framesPerSecond, and frameBurst at once. A frame that
	// is not understood counts as badFrameCost.
	// WebSocket's own pings count as frames.
	framesPerSecond = 50
	frameBurst      = 256
	badFrameCost    = 16
)

// session is one upgraded WebSocket. The handler's goroutine reads (serve),
// a second one writes (write); whichever ends makes the other end too, and
// serve returns last.
type session struct {
	// Fixed.
	door      *door
	ws        *websocket.Conn
	out       *outbox.Outbox
	allowance *rate.Limiter // of the client's frames; used by the reader only

	conn *hub.Conn   // set by serve before writer and first subscription; nil for a refused client
	cut  *time.Timer // set by Close, before conn.Gone returns

	// Owned by the reader.
	token    *time.Timer // until when a token must have come; nil: none is needed
	deferred []hub.Request
}

func newSession(d *door) *session {
	s := &session{door: d, allowance: rate.NewLimiter(framesPerSecond, frameBurst)}
	s.out = outbox.New(d.QueueBytes, s.tooSlow)
	return s
}

// pinged is asked by the library, on the reader's goroutine, before it answers
// a ping.
func (s *session) pinged(context.Context, []byte) bool { return s.conn == nil || s.spend() }

// tooSlow is called when too much has waited for the client for too long.
func (s *session) tooSlow() {
	s.conn.Close(event.ReasonSlow, "the client reads more slowly than events come; it can resume")
}

// Send implements hub.Sink.
func (s *session) Send(head, body []byte) bool { return s.out.Send(head, body) }

// Ready implements hub.Sink.
func (s *session) Ready(size int) bool { return s.out.Ready(size) }

// Close implements hub.Sink. A client that does not read cannot hold it up.
func (s *session) Close(reason event.Reason, text string, last []byte) {
	s.out.Close(reason, text, last)
	patience := closePatience
	switch reason {
	case event.ReasonClientClosed, event.ReasonConnectionLost, event.ReasonPingTimeout:
		patience = 0 // there is nobody to say goodbye to
	}
	s.cut = time.AfterFunc(patience, func() { _ = s.ws.CloseNow() })
}

// serve is the connection's life.
func (s *session) serve(access handshake.Access, query handshake.Query) {
	conn, err := s.door.Hub.Connect(hub.Newcomer{
		Grant: access.Grant, Resumes: query.Resumes, Sink: s, Format: s.door.format,
	})
	if err != nil {
		// Filled up or began to drain since the door asked.
		reason := event.ReasonTooMany
		if errors.Is(err, hub.ErrDraining) {
			reason = event.ReasonDraining
		}
		_ = s.ws.Close(websocket.StatusCode(native.CloseCode(reason)), string(reason))
		return
	}
	s.conn = conn
	ctx, cancel := context.WithCancel(context.Background())
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write(ctx)
	}()
	s.begin(access, query)
	reason := s.read(ctx)
	// Only now does the writer stop waiting for frames; one that is busy
	// saying goodbye has until closePatience.
	s.conn.Close(reason, "")
	<-written
	cancel()
	_ = s.ws.CloseNow()
	if s.token != nil {
		s.token.Stop()
	}
	s.conn.Gone(reason)
	s.cut.Stop()
}

// begin subscribes to the channels of the query. Those that need a token wait
// for it, if one may still come in a frame.
func (s *session) begin(access handshake.Access, query handshake.Query) {
	waits := s.door.Policy.TakesTokens() && !access.Presented
	var now []hub.Request
	since := hub.ParseSince(query.Since, query.Channels)
	for i, channel := range query.Channels {
		request := hub.Request{Channel: channel, Since: since[i], Named: true}
		if waits && !access.Grant.Allows(channel) {
			s.deferred = append(s.deferred, request)
			continue
		}
		now = append(now, request)
	}
	if taken := s.conn.Subscribe(now...); taken == 0 && len(now) > 0 && len(s.deferred) == 0 {
		s.conn.Close(event.ReasonForbidden, "none of the channels asked for is allowed")
		return
	}
	if waits && (len(s.deferred) > 0 || len(access.Grant.Subscribe) == 0) {
		s.token = time.AfterFunc(tokenPatience, s.tokenOverdue)
	}
}

// tokenOverdue closes a connection that needed a token and did not send one.
func (s *session) tokenOverdue() {
	p := handshake.MissingToken()
	s.conn.Refuse(event.ReasonTokenMissing, p.Code, p.Detail)
}

// read reads frames until the connection ends, and says why it ended.
func (s *session) read(ctx context.Context) event.Reason {
	for {
		kind, text, err := s.readMessage(ctx)
		if err != nil {
			return endOf(err)
		}
		if len(text) > s.door.MaxFrameBytes {
			s.conn.Refuse(event.ReasonTooBig, event.CodeTooLarge,
				fmt.Sprintf("a frame has at most %d bytes (RELAY_MAX_FRAME_BYTES)", s.door.MaxFrameBytes))
			return event.ReasonTooBig
		}
		if kind != websocket.MessageText {
			s.bad(&native.FrameError{Message: "frames are text; binary ones are not understood"})
			continue
		}
		c, err := native.ParseCommand(text)
		if wrong, ok := errors.AsType[*native.FrameError](err); ok {
			s.bad(wrong)
			continue
		}
		if s.spend() {
			s.obey(c)
		}
	}
}

// readMessage reads one message, or one byte more than the limit of one that
// is larger. From its first frame on a message has messagePatience: a client
// may be silent for hours, but not in the middle of a word, and it may not
// keep this goroutine busy with empty fragments.
func (s *session) readMessage(ctx context.Context) (websocket.MessageType, []byte, error) {
	kind, r, err := s.ws.Reader(ctx)
	if err != nil {
		return 0, nil, err
	}
	overdue := time.AfterFunc(messagePatience, func() { _ = s.ws.CloseNow() })
	defer overdue.Stop()
	text, err := io.ReadAll(io.LimitReader(r, int64(s.door.MaxFrameBytes)+1))
	return kind, text, err
}

// spend takes one frame off what the client may send, or closes.
func (s *session) spend() bool {
	if s.allowance.Allow() {
		return true
	}
	s.conn.Refuse(event.ReasonTooMany, event.CodeTooMany,
		fmt.Sprintf("more than %d frames a second; send fewer", framesPerSecond))
	return false // the close makes reading fail
}

// endOf says why reading ended.
func endOf(err error) event.Reason {
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return event.ReasonClientClosed
	}
	return event.ReasonConnectionLost
}

// bad answers a frame that was not understood; the connection lives on, if it
// does not do it all the time.
func (s *session) bad(wrong *native.FrameError) {
	s.conn.Error(event.CodeBadFrame, wrong.Message, wrong.Ref)
	if !s.allowance.AllowN(time.Now(), badFrameCost) {
		s.conn.Close(event.ReasonBadFrame, "too many frames that could not be understood")
	}
}

func (s *session) obey(c native.Command) {
	switch c.Type {
	case native.CommandSubscribe:
		since := hub.ParseSince([]string{c.Since}, []string{c.Channel})
		s.conn.Subscribe(hub.Request{Channel: c.Channel, Since: since[0], Ref: c.Ref})
	case native.CommandUnsubscribe:
		s.conn.Unsubscribe(c.Channel, c.Ref)
	case native.CommandToken:
		s.takeToken(c)
	case native.CommandPing:
		s.conn.Pong()
	}
}

// takeToken takes the token that the connection came without, or a fresh one.
func (s *session) takeToken(c native.Command) {
	grant, err := s.door.Policy.Verify(c.Token)
	if err != nil {
		p := handshake.TokenProblem(err)
		if s.token != nil {
			s.conn.Refuse(reasonOf(p.Code), p.Code, p.Detail)
		} else {
			// The grant it has goes on until its own end.
			s.conn.Error(p.Code, p.Detail, c.Ref)
		}
		return
	}
	if s.token != nil {
		s.token.Stop()
		s.token = nil
	}
	s.conn.Renew(grant)
	deferred := s.deferred
	s.deferred = nil
	if taken := s.conn.Subscribe(deferred...); taken == 0 && len(deferred) > 0 {
		s.conn.Close(event.ReasonForbidden, "none of the channels asked for is allowed")
	}
}

// write writes what the hub says, and pings, until the hub has closed or the
// connection breaks.
func (s *session) write(ctx context.Context) {
	interval := s.door.Hub.PingInterval()
	// The first ping comes at a random time: thousands of clients that came
	// together should not be pinged together for ever.
	ping := time.NewTimer(rand.N(interval))
	defer ping.Stop()
	for {
		select {
		case <-s.out.Wake():
		case <-ping.C:
			go s.ping(ctx, interval)
			ping.Reset(interval)
			continue
		}
		frames, end := s.out.Take()
		if err := s.writeAll(ctx, frames); err != nil {
			s.broken(err)
			return
		}
		if s.out.Done(frames) && s.conn != nil {
			s.conn.Drained()
		}
		if end != nil {
			s.end(end)
			return
		}
	}
}

// end says goodbye on the WebSocket's own level, if anybody is there to hear it.
func (s *session) end(end *outbox.End) {
	switch end.Reason {
	case event.ReasonConnectionLost, event.ReasonPingTimeout:
		_ = s.ws.CloseNow()
	default:
		code := native.CloseCode(end.Reason)
		_ = s.ws.Close(websocket.StatusCode(code), native.CloseText(end.Reason, end.Text))
	}
}

func (s *session) writeAll(ctx context.Context, frames []outbox.Frame) error {
	if len(frames) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	for _, f := range frames {
		if err := s.ws.Write(ctx, websocket.MessageText, f.Body); err != nil {
			return err
		}
	}
	return nil
}

// broken notes why writing failed; the reader ends by itself.
func (s *session) broken(err error) {
	reason := event.ReasonConnectionLost
	if errors.Is(err, context.DeadlineExceeded) {
		reason = event.ReasonSlow
	}
	if s.conn != nil {
		s.conn.Close(reason, "writing to the client failed")
	}
	_ = s.ws.CloseNow()
}

// ping pings once and ends the connection if no pong comes.
func (s *session) ping(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.ws.Ping(ctx); errors.Is(err, context.DeadlineExceeded) && s.conn != nil {
		s.conn.Close(event.ReasonPingTimeout, "no answer to a ping")
	}
}
