package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"relay/client"
)

// A fakeRelay speaks the wire as each test scripts it, connection by
// connection, over pipes in memory: with them the clock of synctest works.
type fakeRelay struct {
	t      *testing.T
	script []func(*visit)
	start  time.Time

	mu     sync.Mutex
	visits []*visit
}

// visit is one connection attempt.
type visit struct {
	t      *testing.T
	w      http.ResponseWriter
	r      *http.Request
	after  time.Duration // since the start of the test
	query  url.Values
	bearer string
	conn   *websocket.Conn
}

func (f *fakeRelay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	n := len(f.visits)
	v := &visit{t: f.t, w: w, r: r, after: time.Since(f.start), query: r.URL.Query(), bearer: r.Header.Get("Authorization")}
	f.visits = append(f.visits, v)
	f.mu.Unlock()
	if r.URL.Path != "/v1/ws" {
		f.t.Errorf("path %s", r.URL.Path)
	}
	if n >= len(f.script) {
		f.t.Errorf("visit %d was not expected", n)
		http.Error(w, "stay away", http.StatusNotFound)
		return
	}
	f.script[n](v)
}

// upgrade accepts the WebSocket and says welcome.
func (v *visit) upgrade() {
	conn, err := websocket.Accept(v.w, v.r, nil)
	if err != nil {
		v.t.Errorf("accept: %v", err)
		return
	}
	v.conn = conn
	v.say(`{"type":"welcome","connection":"c1","ping_interval_ms":25000}`)
}

func (v *visit) say(frames ...string) {
	for _, f := range frames {
		if err := v.conn.Write(context.Background(), websocket.MessageText, []byte(f)); err != nil {
			v.t.Errorf("write %s: %v", f, err)
		}
	}
}

func (v *visit) close(code int, reason string) { _ = v.conn.Close(websocket.StatusCode(code), reason) }

// cut ends the connection without a word.
func (v *visit) cut() { _ = v.conn.CloseNow() }

// hear returns the client's next frame, or "" when it has left.
func (v *visit) hear() string {
	_, text, err := v.conn.Read(context.Background())
	if err != nil {
		return ""
	}
	return string(text)
}

// outcome is what a Subscribe came to.
type outcome struct {
	err    error
	visits []*visit
	frames []client.Frame
	waits  []time.Duration
	why    []error
}

// follow runs Subscribe against a script, one function per connection, and
// leaves after an hour of the fake clock.
func follow(t *testing.T, o client.Options, script ...func(*visit)) (out outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRelay{t: t, script: script, start: time.Now()}
		pipes := newPipes()
		server := &http.Server{Handler: f}
		served := make(chan error, 1)
		go func() { served <- server.Serve(pipes) }()
		transport := &http.Transport{DialContext: pipes.dial}

		o.URL = "http://relay.test"
		o.HTTPClient = &http.Client{Transport: transport}
		if o.Channels == nil {
			o.Channels = []string{"a"}
		}
		o.OnFrame = func(f client.Frame) { out.frames = append(out.frames, f) }
		o.OnRetry = func(err error, wait time.Duration) {
			out.why = append(out.why, err)
			out.waits = append(out.waits, wait)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errLeft)
		defer cancel()
		out.err = client.Subscribe(ctx, o)

		transport.CloseIdleConnections()
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
		out.visits = f.visits
	})
	if len(out.visits) != len(script) {
		t.Errorf("%d connections, want %d", len(out.visits), len(script))
	}
	return out
}

var errLeft = errors.New("the test left")

// stay keeps a connection up, and pinged, until the client leaves, and
// returns how it left.
func (v *visit) stay() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for v.conn.Ping(ctx) == nil {
			select {
			case <-time.After(25 * time.Second):
			case <-ctx.Done():
			}
		}
	}()
	_, _, err := v.conn.Read(context.Background())
	return err
}

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "relay.test", Net: "pipe"} }
