// Package sockets drives clients with all kinds of manners against the
// WebSocket and the EventSource door, over real connections, and holds the
// relay to what each of them saw: every event once and in order, whole frames,
// a pong for each ping, an end with the reason it had, and nothing left behind.
//
// `go test` tells a few stories; `make fuzz` goes on with others, for as long as
// STORIES says; it can also be one story's seed. A story is all that follows from its seed, but for the order in
// which things happen. (Go's own fuzzing ends what takes ten seconds, and there
// are machines on which a story does.)
package sockets

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"relay/bus"
	"relay/event"
	"relay/hub"
	"relay/membus"
	"relay/transport/handshake"
	"relay/transport/socket"
	"relay/transport/sse"
	"relay/transport/ws"
)

// patience bounds a wait for something that must happen.
const patience = time.Minute

// maxFrame is how much a client may send in one message.
const maxFrame = 16 << 10

func TestStories(t *testing.T) {
	for seed := range uint64(10) {
		tellOne(t, seed)
	}
	text := os.Getenv("STORIES")
	if text == "" {
		return
	}
	if seed, err := strconv.ParseUint(text, 10, 64); err == nil {
		tellOne(t, seed)
		return
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("STORIES is how long to go on, like 10m, or a story's seed: %v", err)
	}
	for end := time.Now().Add(long); time.Now().Before(end) && !t.Failed(); {
		tellOne(t, rand.Uint64())
	}
}

// tellOne tells a story from its beginning to its end.
func tellOne(t *testing.T, seed uint64) {
	t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
		before := used(t)
		s := begin(t, seed)
		s.tell()
		s.end()
		eventually(t, "what the relay used to be given back", func() bool { return used(t).within(before) })
	})
}

// story is a relay without its program, and what is said through it.
type story struct {
	t       *testing.T
	seed    uint64
	dice    *rand.Rand
	plain   bool // connections are not the system's own: two goroutines serve each
	roomy   bool // nobody's queue can be too long
	pinging bool // clients are pinged so often that a slow machine may lose one

	bus    *membus.Bus
	hub    *hub.Hub
	loop   *socket.Loop
	server *http.Server
	addr   string
	ends   ends
	events map[string][]string // the data of each channel's events
	told   progress            // how many batches were published
	guests guests
}

// channels are those of a story.
var channels = []string{"a", "räume b"}

func begin(t *testing.T, seed uint64) *story {
	dice := rand.New(rand.NewPCG(seed, 0))
	s := &story{
		t: t, seed: seed, dice: dice,
		plain: seed%2 == 1, roomy: dice.IntN(3) > 0, pinging: dice.IntN(4) == 0,
		events: make(map[string][]string),
	}
	for _, channel := range channels {
		for n := range 40 + dice.IntN(160) {
			s.events[channel] = append(s.events[channel], fmt.Sprintf(`{"n":%d,"text":"%s"}`, n+1, filling(dice)))
		}
	}
	s.open()
	return s
}

// filling makes events of all sizes, some of which shrink when compressed.
func filling(dice *rand.Rand) string {
	switch n := dice.IntN(100); {
	case n < 60:
		return strings.Repeat("x", dice.IntN(200))
	case n < 85:
		return strings.Repeat("again and é ", 30+dice.IntN(400))
	case n < 98:
		return noise(dice, dice.IntN(20_000))
	default:
		return noise(dice, 60_000)
	}
}

func noise(dice *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-"[dice.IntN(64)]
	}
	return string(b)
}

func (s *story) open() {
	s.bus = membus.New(bus.Everywhere(bus.Retention{Size: 1000, TTL: time.Hour, PositionTTL: time.Hour}))
	log := slog.New(&s.ends)
	s.hub = hub.New(s.bus, hub.Options{Log: log, Linger: time.Millisecond, JoinTimeout: patience})
	interval, queue := time.Hour, 16<<20
	if s.pinging {
		interval = 300 * time.Millisecond
	}
	if !s.roomy {
		queue = 4<<10 + s.dice.IntN(60<<10)
	}
	var err error
	if s.loop, err = socket.NewLoop(interval); err != nil {
		s.t.Fatal(err)
	}
	policy, err := handshake.New(handshake.Options{Open: true})
	if err != nil {
		s.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/ws", ws.Handler(ws.Options{
		Hub: s.hub, Loop: s.loop, Policy: policy, MaxFrameBytes: maxFrame, QueueBytes: queue, Log: log,
	}))
	mux.Handle("/v1/sse", sse.Handler(sse.Options{Hub: s.hub, Loop: s.loop, Policy: policy, QueueBytes: queue, Log: log}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	s.server = &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	buffer := [2]int{0, 16<<10 + s.dice.IntN(48<<10)}[s.dice.IntN(2)]
	go func() { _ = s.server.Serve(narrow{listener, buffer, s.plain}) }()
}

// narrow is a listener whose connections have small buffers, so that writes
// are broken off in the middle.
type narrow struct {
	net.Listener
	buffer int // 0: the system's
	plain  bool
}

func (n narrow) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	if n.buffer > 0 {
		_ = tcp.SetWriteBuffer(n.buffer)
	}
	if n.plain {
		return other{tcp}, nil
	}
	return tcp, nil
}

// other is a connection that is not one of the system's, as under TLS.
type other struct{ net.Conn }

func (o other) CloseWrite() error { return o.Conn.(*net.TCPConn).CloseWrite() }

// tell publishes while clients come and go, until all have had everything.
func (s *story) tell() {
	var all sync.WaitGroup
	for n := range 8 + s.dice.IntN(8) {
		c := newClient(s, rand.New(rand.NewPCG(s.seed, uint64(n+1))))
		all.Go(c.run)
	}
	s.publish()
	all.Wait()
}

// publish says everything, in batches, and between them what history does not keep.
func (s *story) publish() {
	defer s.told.finish()
	next := make(map[string]int)
	for quick := 1; ; quick++ {
		var batch []bus.Publication
		for _, channel := range channels {
			rest := s.events[channel][next[channel]:]
			rest = rest[:min(len(rest), s.dice.IntN(20))]
			next[channel] += len(rest)
			for _, data := range rest {
				batch = append(batch, bus.Publication{Channel: channel, Name: "n", Data: []byte(data)})
			}
		}
		if len(batch) == 0 && next["a"] == len(s.events["a"]) {
			if next[channels[1]] == len(s.events[channels[1]]) {
				return
			}
			continue
		}
		if s.dice.IntN(3) == 0 {
			batch = append(batch, bus.Publication{Channel: "a", Name: "quick", Data: fmt.Append(nil, quick), Transient: true})
		}
		for _, r := range s.bus.Publish(context.Background(), batch) {
			if r.Err != nil {
				s.t.Error(r.Err)
			}
		}
		s.told.step()
		s.expel()
		time.Sleep(time.Duration(s.dice.IntN(3)) * time.Millisecond) // a pace, and no wait for anything
	}
}

// expelText is what an app says to those whom it sends away.
const expelText = "à bientôt"

// expel sends somebody away now and then, whatever waits for them.
func (s *story) expel() {
	if s.dice.IntN(8) > 0 {
		return
	}
	if connection := s.guests.choose(s.dice.IntN); connection != "" {
		if _, err := s.hub.Disconnect(context.Background(), hub.Target{Connection: connection}, expelText); err != nil {
			s.t.Error(err)
		}
	}
}

// end closes everything as the program does.
func (s *story) end() {
	eventually(s.t, "the hub to have no connections", func() bool { return s.hub.Connections() == 0 })
	if err := s.server.Close(); err != nil {
		s.t.Error(err)
	}
	s.hub.Close()
	s.loop.Close()
	s.bus.Close()
}

// guests are the connections that were welcomed, and those of them that had to go.
type guests struct {
	mu       sync.Mutex
	all      []string
	expelled map[string]bool
}

func (g *guests) add(connection string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, connection)
}

// choose picks who has to go; empty if nobody is there.
func (g *guests) choose(dice func(int) int) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.all) == 0 {
		return ""
	}
	connection := g.all[dice(len(g.all))]
	if g.expelled == nil {
		g.expelled = make(map[string]bool)
	}
	g.expelled[connection] = true
	return connection
}

func (g *guests) wasExpelled(connection string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.expelled[connection]
}

// progress counts what others may wait for.
type progress struct {
	mu    sync.Mutex
	steps int
	over  bool
}

func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps++
}

func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

func (p *progress) now() (steps int, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.steps, p.over
}

// ends is a log that keeps why each connection ended.
type ends struct {
	mu      sync.Mutex
	reasons map[string]event.Reason
}

// Enabled implements slog.Handler.
func (e *ends) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (e *ends) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "connection ended" {
		return nil
	}
	var connection string
	var reason event.Reason
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "connection":
			connection = a.Value.String()
		case "reason":
			reason, _ = a.Value.Any().(event.Reason)
		}
		return true
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reasons == nil {
		e.reasons = make(map[string]event.Reason)
	}
	e.reasons[connection] = reason
	return nil
}

// WithAttrs implements slog.Handler.
func (e *ends) WithAttrs([]slog.Attr) slog.Handler { return e }

// WithGroup implements slog.Handler.
func (e *ends) WithGroup(string) slog.Handler { return e }

// of waits for the end of a connection.
func (e *ends) of(t *testing.T, connection string) (reason event.Reason) {
	eventually(t, "the relay to notice that a client is gone", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		var ended bool
		reason, ended = e.reasons[connection]
		return ended
	})
	return reason
}

func eventually(t *testing.T, what string, ok func() bool) {
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("waited %v for %s", patience, what)
			return
		}
	}
}

// usage is what must not grow from story to story.
type usage struct{ goroutines, descriptors int }

func (u usage) within(before usage) bool {
	return u.goroutines <= before.goroutines && u.descriptors <= before.descriptors
}

func used(t *testing.T) usage {
	warm(t)
	u := usage{goroutines: runtime.NumGoroutine()}
	if runtime.GOOS == "linux" {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		u.descriptors = len(list)
	}
	return u
}

// warm has the runtime open what it keeps for ever.
var warmed sync.Once

func warm(t *testing.T) {
	warmed.Do(func() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	})
}
