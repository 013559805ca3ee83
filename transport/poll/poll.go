// Package poll is the door for clients that can do nothing but ask: GET
// /v1/poll. Each request says where the last one ended, and is answered with
// what came since, at once or when there is something. Nothing is kept between
// requests, so any relay can answer the next one.
package poll

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"relay/event"
	"relay/hub"
	"relay/problem"
	"relay/transport/handshake"
)

const (
	// MaxChannels bounds the channels of one request: the cursor over them
	// travels in its query.
	MaxChannels = 64
	// defaultWait and maxWait are how long a request waits for something to
	// tell: below the idle timeouts that proxies are known for.
	defaultWait = 25 * time.Second
	maxWait     = 55 * time.Second
)

// Options configure the door.
type Options struct {
	Hub    *hub.Hub
	Policy *handshake.Policy
	// AnswerBytes is about how much past one answer tells.
	AnswerBytes int
	Log         *slog.Logger
}

// Handler answers the requests of the door, for pages of other origins too
// where the policy allows them.
func Handler(o Options) http.Handler {
	d := &door{o}
	return o.Policy.CORS(d, d.refused)
}

type door struct{ Options }

func (d *door) refused(code event.Code) { d.Hub.Refused(frameFormat{}.Transport(), code) }

// ServeHTTP answers one request. Unlike an EventSource, its client sees the
// status, so what will pass is told by one, too.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	access, query, p := d.Policy.Enter(r, min(MaxChannels, d.Hub.MaxChannels()))
	if p == nil {
		var wait time.Duration
		if wait, p = parseWait(r); p == nil {
			p = d.answer(w, r, access, query, wait)
		}
	}
	if p != nil {
		d.Log.Debug("a client was refused", "transport", "poll", "url", handshake.RedactedURL(r), "detail", p.Detail)
		d.refused(p.Code)
		p.Write(w)
	}
}

func parseWait(r *http.Request) (time.Duration, *problem.Problem) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return defaultWait, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > maxWait {
		return 0, problem.New(http.StatusBadRequest, event.CodeInvalidRequest,
			"wait is a duration from 0s (answer at once) to "+maxWait.String()+", such as 25s.")
	}
	return wait, nil
}

// answer asks the hub and answers the request, unless it returns a problem.
func (d *door) answer(w http.ResponseWriter, r *http.Request, access handshake.Access, query handshake.Query, wait time.Duration) *problem.Problem {
	c := newCollector(len(query.Channels), d.AnswerBytes)
	conn, err := d.Hub.Connect(hub.Newcomer{
		Grant: access.Grant, Resumes: query.Resumes, Sink: c, Format: frameFormat{},
		// The connection that it keeps and asks over again.
		Visit: r.RemoteAddr,
	})
	if err != nil {
		return turnAway(err)
	}
	since := hub.ParseSince(query.Since, query.Channels)
	requests := make([]hub.Request, len(query.Channels))
	for i, channel := range query.Channels {
		requests[i] = hub.Request{Channel: channel, Since: since[i], Named: true}
	}
	conn.Subscribe(requests...)
	if len(query.Since) == 0 {
		wait = 0 // it asks where the channels stand
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	select {
	case <-c.settled:
		select {
		case <-c.something:
		case <-deadline.C:
		case <-r.Context().Done():
		}
	case <-r.Context().Done():
	}
	conn.Gone(event.ReasonClientClosed)
	return c.write(w)
}

// turnAway refuses what the hub does not take now.
func turnAway(err error) *problem.Problem {
	p := problem.New(http.StatusTooManyRequests, event.CodeTooMany, err.Error())
	p.RetryAfter = 5 * time.Second
	if errors.Is(err, hub.ErrDraining) {
		p = problem.New(http.StatusServiceUnavailable, event.CodeDraining, err.Error())
		p.RetryAfter = time.Second
	}
	return p
}

// write answers with what was collected. A relay that was closed before it
// knew anything (the bus is away) has no cursor to give.
func (c *collector) write(w http.ResponseWriter) *problem.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cursor) == 0 && c.closed != "" && c.closed != event.ReasonClientClosed {
		if c.closed == event.ReasonDraining {
			return turnAway(hub.ErrDraining)
		}
		p := problem.New(http.StatusServiceUnavailable, event.CodeUnavailable, "The relay cannot serve these channels now. Ask again later.")
		p.RetryAfter = time.Second
		return p
	}
	body := append(make([]byte, 0, c.bytes+len(c.cursor)+64), `{"frames":[`...)
	for i, frame := range c.frames {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, frame...)
	}
	body = append(body, `],"cursor":`...)
	body = strconv.AppendQuote(body, string(c.cursor)) // letters, digits and - _ . ~ only
	body = append(body, '}', '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if c.closed == event.ReasonDraining {
		h.Set("Connection", "close") // or it would ask here again
	}
	_, _ = w.Write(body) // the client may have gone; its next request begins where this one did
	return nil
}
