// Package ws is the WebSocket door: GET /v1/ws. A client names channels in
// the query or by frames, and gets JSON frames.
package ws

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"relay/auth"
	"relay/event"
	"relay/hub"
	"relay/problem"
	"relay/transport/handshake"
	"relay/transport/socket"
)

// Options configure the door.
type Options struct {
	Hub    *hub.Hub
	Loop   *socket.Loop
	Policy *handshake.Policy
	// MaxFrameBytes bounds a frame from a client.
	MaxFrameBytes int
	// QueueBytes bounds what waits for one client; beyond it the client is closed as too slow.
	QueueBytes int
	Log        *slog.Logger
}

// tokenPatience is how long a client that came without a token may take to
// send one in a frame, if it needs one.
const tokenPatience = 5 * time.Second

// Handler answers the upgrade requests of the door.
func Handler(o Options) http.Handler {
	return &door{
		Options: o, refusing: make(chan struct{}, maxRefusing), ticket: o.Policy.Ticket,
		sockets: &socket.Options{Limit: o.QueueBytes, Ping: pingFrame, Answered: true},
	}
}

// maxRefusing bounds the clients that are being told, after their upgrade, why
// they have to go: they count towards no other limit, and a stranger with bad
// tokens makes them for nothing.
const maxRefusing = 256

type door struct {
	Options
	sockets   *socket.Options
	protocols protocols
	ticket    func(auth.Grant) string
	refusing  chan struct{} // holds one token for each, until its socket has ended
}

func (d *door) refused(code event.Code) { d.Hub.Refused(textFormat{}.Transport(), code) }

// ServeHTTP refuses with an HTTP status what a reconnecting client can learn
// from one (origin, drain, limits). Everything else is refused after the
// upgrade, by an error frame and a close code: a page's script sees neither
// status nor body of a refused WebSocket.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := d.refuse(r); p != nil {
		d.refused(p.Code)
		p.Write(w)
		return
	}
	query, wrong := handshake.ParseQuery(r, d.Hub.MaxChannels())
	access, denied := d.Policy.Readmit(r)
	refusal := cmp.Or(wrong, denied)
	if refusal != nil {
		d.refused(refusal.Code)
		select {
		case d.refusing <- struct{}{}:
		default:
			refusal.Write(w)
			return
		}
	}
	up, err := upgrade(w, r)
	if err != nil {
		if refusal != nil {
			<-d.refusing
		}
		d.Log.Debug("a WebSocket handshake failed", "url", handshake.RedactedURL(r), "error", err)
		return // the library has answered
	}
	s := &session{door: d, deflate: up.deflate, refused: refusal != nil}
	if s.sock, err = d.Loop.Take(up.conn, d.sockets, s); err != nil {
		if refusal != nil {
			<-d.refusing
		}
		d.Log.Error("a connection could not be taken over", "error", err)
		return
	}
	s.sock.Send(nil, up.answer)
	if refusal != nil {
		s.refuse(reasonOf(refusal.Code), refusal)
		s.sock.Start(up.early)
		return
	}
	s.serve(access, query, up.early)
}

// refuse says what is to be answered before an upgrade.
func (d *door) refuse(r *http.Request) *problem.Problem {
	if p := d.Policy.Admit(r); p != nil {
		return p
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return problem.New(http.StatusUpgradeRequired, event.CodeInvalidRequest,
			"this address speaks WebSocket; over plain HTTP use /v1/sse")
	}
	switch err := d.Hub.Admits(); {
	case errors.Is(err, hub.ErrDraining):
		p := problem.New(http.StatusServiceUnavailable, event.CodeDraining, err.Error())
		p.RetryAfter = time.Second
		return p
	case err != nil:
		p := problem.New(http.StatusTooManyRequests, event.CodeTooMany, err.Error())
		p.RetryAfter = 5 * time.Second
		return p
	}
	return nil
}

// reasonOf is the reason for which a refused handshake closes.
func reasonOf(code event.Code) event.Reason {
	switch code {
	case event.CodeTokenMissing:
		return event.ReasonTokenMissing
	case event.CodeTokenExpired:
		return event.ReasonTokenExpired
	case event.CodeTokenInvalid:
		return event.ReasonTokenInvalid
	case event.CodeForbidden:
		return event.ReasonForbidden
	}
	return event.ReasonBadFrame // the query
}

// refuse tells a client that has just been upgraded why it has to go.
func (s *session) refuse(reason event.Reason, p *problem.Problem) {
	s.Send(nil, s.format().Encode(&hub.Frame{Type: hub.FrameError, Code: p.Code, Message: p.Detail}))
	s.Close(reason, p.Detail, s.format().Encode(&hub.Frame{Type: hub.FrameGoodbye, Reason: string(reason)}))
	s.door.Log.Debug("a client was refused", "transport", "ws", "reason", reason, "detail", p.Detail)
}
