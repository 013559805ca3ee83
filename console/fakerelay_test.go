package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"relay/console"
)

// fakeRelay speaks as much of the native wire as the page needs, and does what
// a test tells it to.
type fakeRelay struct {
	*httptest.Server

	mu        sync.Mutex
	clients   map[*websocket.Conn]context.CancelFunc
	frames    []frame                   // all that came from pages
	posts     []string                  // bodies of test events
	token     string                    // wanted before any subscription, if not empty
	forbidden map[string]bool           // channels nobody may have
	answer    func(http.ResponseWriter) // to a test event
	offset    int
}

// frame is any frame, of either direction.
type frame struct {
	Type    string          `json:"type"`
	Channel string          `json:"channel,omitempty"`
	ID      string          `json:"id,omitempty"`
	Event   string          `json:"event,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	Since   string          `json:"since,omitempty"`
	Token   string          `json:"token,omitempty"`
	Ref     int             `json:"ref,omitempty"`
	Code    string          `json:"code,omitempty"`
	Message string          `json:"message,omitempty"`
	Reason  string          `json:"reason,omitempty"`

	Connection    string `json:"connection,omitempty"`
	PingInterval  int    `json:"ping_interval_ms,omitempty"`
	ReconnectInMS int    `json:"reconnect_in_ms,omitempty"`
}

func newFakeRelay(t *testing.T, o console.Options) *fakeRelay {
	t.Helper()
	r := &fakeRelay{clients: make(map[*websocket.Conn]context.CancelFunc), forbidden: make(map[string]bool)}
	mux := http.NewServeMux()
	mux.Handle("/", console.Handler(o))
	mux.HandleFunc("GET "+o.PublicPath+"/v1/ws", r.serveSocket)
	mux.HandleFunc("POST "+o.PublicPath+"/console/events", r.serveTestEvent)
	r.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		r.closeAll(websocket.StatusGoingAway, "the test is over")
		r.Close()
	})
	return r
}

func (r *fakeRelay) serveSocket(w http.ResponseWriter, req *http.Request) {
	conn, err := websocket.Accept(w, req, nil)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.mu.Lock()
	r.clients[conn] = cancel
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.clients, conn)
		r.mu.Unlock()
		_ = conn.CloseNow()
	}()
	send(ctx, conn, frame{Type: "welcome", Connection: "c0ffee", PingInterval: 25000})
	authorised := false
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			_ = conn.Close(4400, "bad_frame")
			return
		}
		if !r.take(ctx, conn, f, &authorised) {
			return
		}
	}
}

// take answers one frame and reports whether the connection lives on.
func (r *fakeRelay) take(ctx context.Context, conn *websocket.Conn, f frame, authorised *bool) bool {
	r.mu.Lock()
	r.frames = append(r.frames, f)
	token, forbidden, id := r.token, r.forbidden[f.Channel], r.position()
	r.mu.Unlock()
	switch f.Type {
	case "ping":
		send(ctx, conn, frame{Type: "pong"})
	case "token":
		*authorised = f.Token == token
		if !*authorised {
			send(ctx, conn, frame{Type: "error", Code: "token_invalid", Message: "The token was refused."})
			_ = conn.Close(4401, "token_invalid")
			return false
		}
	case "subscribe":
		if token != "" && !*authorised {
			send(ctx, conn, frame{Type: "error", Code: "token_missing", Message: "No token came."})
			_ = conn.Close(4401, "token_missing")
			return false
		}
		if forbidden {
			send(ctx, conn, frame{Type: "error", Code: "forbidden", Message: "Not yours.", Channel: f.Channel, Ref: f.Ref})
			return true
		}
		send(ctx, conn, frame{Type: "subscribed", Channel: f.Channel, ID: id, Ref: f.Ref})
	case "unsubscribe":
		send(ctx, conn, frame{Type: "unsubscribed", Channel: f.Channel, Reason: "asked", Ref: f.Ref})
	}
	return true
}

func (r *fakeRelay) serveTestEvent(w http.ResponseWriter, req *http.Request) {
	var body json.RawMessage
	err := json.NewDecoder(req.Body).Decode(&body)
	var e frame
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.posts = append(r.posts, string(body))
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w)
		return
	}
	id := r.publish(e.Channel, e.Event, string(e.Data))
	_, _ = fmt.Fprintf(w, `{"results":[{"channel":%q,"id":%q}]}`, e.Channel, id)
}

// position is the next event's; r.mu is held.
func (r *fakeRelay) position() string {
	return fmt.Sprintf("1795334400123-%d-Xk3vQ9", r.offset)
}

// publish sends an event to every page, subscribed or not, and returns its id.
func (r *fakeRelay) publish(channel, name, data string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset++
	id := r.position()
	for conn := range r.clients {
		send(context.Background(), conn, frame{Type: "event", Channel: channel, ID: id, Event: name, Data: json.RawMessage(data)})
	}
	return id
}

// say sends any frame to every page.
func (r *fakeRelay) say(f frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.clients {
		send(context.Background(), conn, f)
	}
}

// closeAll ends every connection with this code.
func (r *fakeRelay) closeAll(code websocket.StatusCode, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.clients {
		go func() { _ = conn.Close(code, reason) }()
	}
}

// got returns the frames of a type that came from pages.
func (r *fakeRelay) got(kind string) []frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []frame
	for _, f := range r.frames {
		if f.Type == kind {
			found = append(found, f)
		}
	}
	return found
}

// set changes what the relay will do from now on.
func (r *fakeRelay) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// send ignores errors: a page that has gone is noticed by its reader.
func send(ctx context.Context, conn *websocket.Conn, f frame) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // data stays as the test wrote it
	if err := encoder.Encode(f); err != nil {
		panic(err)
	}
	_ = conn.Write(ctx, websocket.MessageText, text.Bytes())
}
