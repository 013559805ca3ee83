package ws

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/coder/websocket"

	"relay/event"
	"relay/hub"
	"relay/transport/handshake"
	"relay/transport/native"
	"relay/transport/socket"
)

const (
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

// session is one upgraded WebSocket: what the hub sends goes to its socket, and
// what its client sends comes from there.
type session struct {
	// Fixed.
	door    *door
	deflate bool // the client understands compressed messages
	refused bool // it counts in door.refusing
	sock    *socket.Socket
	conn    *hub.Conn // nil for a refused client

	// Owned by the goroutine that reads.
	allowance *rate.Limiter // of the client's frames; nil before the first
	token     *time.Timer   // until when a token must have come; nil: none is needed
	deferred  []hub.Request
	overdue   *time.Timer // runs while a part of a message is there
	left      bool        // the client closed properly
	farewell  []byte      // the library's close frame: its answer to the client's, or its complaint
}

// TooSlow implements socket.Owner.
func (s *session) TooSlow() {
	if s.conn != nil {
		s.conn.TooSlow()
	}
}

// Drained implements socket.Owner.
func (s *session) Drained() {
	if s.conn != nil {
		s.conn.Drained()
	}
}

// Send implements hub.Sink.
func (s *session) Send(head, body []byte) bool { return s.sock.Send(head, body) }

// Ready implements hub.Sink.
func (s *session) Ready(size int) bool { return s.sock.Ready(size) }

// Close implements hub.Sink: the goodbye on the WebSocket's own level follows
// the hub's. A client that does not read cannot hold it up.
func (s *session) Close(reason event.Reason, text string, last []byte) {
	switch {
	case reason == event.ReasonClientClosed:
		s.sock.Finish(s.farewell, false, closePatience)
	case reason == event.ReasonConnectionLost && s.farewell != nil:
		s.sock.Finish(s.farewell, true, closePatience) // it is there, and speaks no WebSocket
	case reason == event.ReasonConnectionLost, reason == event.ReasonPingTimeout:
		s.sock.Finish(nil, true, 0) // there is nobody to say goodbye to
	default:
		last = append(last, closeFrame(native.CloseCode(reason), native.CloseText(reason, text))...)
		s.sock.Finish(last, reason == event.ReasonSlow, closePatience)
	}
}

// Ended implements socket.Owner.
func (s *session) Ended(how socket.Ending) {
	if s.token != nil {
		s.token.Stop()
	}
	s.finishedMessage()
	if s.refused {
		<-s.door.refusing
	}
	if s.conn != nil {
		s.conn.Gone(s.reasonFor(how))
	}
}

// reasonFor is why the connection ended, if the hub did not close it.
func (s *session) reasonFor(how socket.Ending) event.Reason {
	switch how {
	case socket.Unanswered:
		return event.ReasonPingTimeout
	case socket.Stuck:
		return event.ReasonSlow
	}
	if s.left {
		return event.ReasonClientClosed
	}
	return event.ReasonConnectionLost
}

// serve is the beginning of the connection's life.
func (s *session) serve(access handshake.Access, query handshake.Query, early []byte) {
	conn, err := s.door.Hub.Connect(hub.Newcomer{
		Grant: access.Grant, Resumes: query.Resumes, Ticket: s.door.ticket, Sink: s, Format: s.format(),
	})
	s.conn = conn
	if err != nil {
		// Filled up or began to drain since the door asked.
		reason, code := event.ReasonTooMany, event.CodeTooMany
		if errors.Is(err, hub.ErrDraining) {
			reason, code = event.ReasonDraining, event.CodeDraining
		}
		s.door.refused(code)
		s.Close(reason, string(reason), nil)
	} else {
		s.begin(access, query)
	}
	s.sock.Start(early)
}

func (s *session) format() hub.Format { return textFormat{s.deflate} }

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

// Received implements socket.Owner.
func (s *session) Received(b []byte) (used int) {
	pongs := 0
	for used < len(b) {
		size, pong, err := nextUnit(b[used:], s.door.MaxFrameBytes)
		switch {
		case err != nil:
			s.tooBig()
			return len(b)
		case size == 0:
			s.unfinishedMessage()
			return used
		}
		if pong {
			pongs++
		}
		switch {
		case !pong && !s.readUnit(b[used:used+size]):
			return len(b)
		case pongs > 1 && s.conn != nil && !s.spend():
			return len(b) // nobody asked for so many
		}
		used += size
		s.finishedMessage() // each message has its own time
	}
	return used
}

// readUnit reports whether the client may go on.
func (s *session) readUnit(unit []byte) bool {
	err := s.door.protocols.read(s, s.deflate, s.door.MaxFrameBytes, unit, s.take)
	switch {
	case err == nil:
		return true
	case errors.Is(err, errTooBig):
		s.tooBig()
		return false
	}
	reason := endOf(err)
	s.left = reason == event.ReasonClientClosed
	if s.conn == nil {
		s.sock.Abort(socket.Left)
	} else {
		s.conn.Close(reason, "")
	}
	return false
}

// take takes a message. It is only told of clients that were not refused.
func (s *session) take(kind websocket.MessageType, text []byte) {
	switch {
	case s.conn == nil:
		return // a refused client has nothing to say
	case kind != websocket.MessageText:
		s.bad(&native.FrameError{Message: "frames are text; binary ones are not understood"})
		return
	}
	c, err := native.ParseCommand(text)
	if wrong, ok := errors.AsType[*native.FrameError](err); ok {
		s.bad(wrong)
		return
	}
	if s.spend() {
		s.obey(c)
	}
}

func (s *session) tooBig() {
	if s.conn == nil {
		s.sock.Abort(socket.Left)
		return
	}
	s.conn.Refuse(event.ReasonTooBig, event.CodeTooLarge,
		fmt.Sprintf("a frame has at most %d bytes (RELAY_MAX_FRAME_BYTES)", s.door.MaxFrameBytes))
}

// unfinishedMessage: from its first byte on a message has messagePatience. A
// client may be silent for hours, but not in the middle of a word.
func (s *session) unfinishedMessage() {
	if s.overdue == nil {
		s.overdue = time.AfterFunc(messagePatience, func() { s.sock.Abort(socket.Lost) })
	}
}

func (s *session) finishedMessage() {
	if s.overdue != nil {
		s.overdue.Stop()
		s.overdue = nil
	}
}

// answer implements client. A close frame is kept for Close: nothing may follow
// it (RFC 6455, section 5.5.1), and until the hub has closed the connection
// events do. A client that has its answer reads no further, and so would not
// see that the connection ends.
func (s *session) answer(frame []byte) {
	if frame[0] == finBit|opClose {
		s.farewell = frame
		return
	}
	s.sock.Send(nil, frame)
}

// pinged implements client: pings count as frames.
func (s *session) pinged() bool { return s.conn == nil || s.spend() }

// spend takes one frame off what the client may send, or closes.
func (s *session) spend() bool {
	if s.limiter().Allow() {
		return true
	}
	s.conn.Refuse(event.ReasonTooMany, event.CodeTooMany,
		fmt.Sprintf("more than %d frames a second; send fewer", framesPerSecond))
	return false // the close makes reading fail
}

// limiter is made when it is needed: most clients never say a word.
func (s *session) limiter() *rate.Limiter {
	if s.allowance == nil {
		s.allowance = rate.NewLimiter(framesPerSecond, frameBurst)
	}
	return s.allowance
}

// endOf says why reading ended. Whoever sends a close frame, with whatever code,
// waits for what comes before its answer.
func endOf(err error) event.Reason {
	if websocket.CloseStatus(err) != -1 {
		return event.ReasonClientClosed
	}
	return event.ReasonConnectionLost
}

// bad answers a frame that was not understood; the connection lives on, if it
// does not do it all the time.
func (s *session) bad(wrong *native.FrameError) {
	s.conn.Error(event.CodeBadFrame, wrong.Message, wrong.Ref)
	if !s.limiter().AllowN(time.Now(), badFrameCost) {
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
