// Package faultproxy stands between a client and a server in a test and breaks
// the network between them: cut, half-open in one direction or both, slow.
//
// A frozen direction holds what it is given and passes nothing on, neither
// bytes nor the end of a connection, as a network that drops every packet
// does; both ends keep a connection that looks alive.
package faultproxy

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Direction is a way through the proxy, or both: ToServer|ToClient.
type Direction int

// The directions.
const (
	ToServer Direction = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

// Proxy passes TCP connections on to one target.
type Proxy struct {
	Addr string // where clients connect to

	listener  net.Listener
	tasks     sync.WaitGroup
	translate func() func([]byte) []byte // nil: as it is

	mu      sync.Mutex
	changed *sync.Cond // of all below
	target  string
	links   map[*link]struct{}
	cut     bool
	frozen  Direction
	delay   time.Duration
}

// New starts a proxy on a free loopback port, to a target "host:port", until
// the test ends. It is healed at first.
func New(tb testing.TB, target string) *Proxy {
	tb.Helper()
	return NewTranslating(tb, target, nil)
}

// NewTranslating is New with a translator for each connection's way to the
// client, as between two networks in which one server has two addresses. It
// gets what was read, and returns what may go on by now.
func NewTranslating(tb testing.TB, target string, translate func() func([]byte) []byte) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{
		Addr:      l.Addr().String(),
		listener:  l,
		translate: translate,
		target:    target,
		links:     make(map[*link]struct{}),
	}
	p.changed = sync.NewCond(&p.mu)
	p.tasks.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Cut resets all connections, and each new one at once, until Heal.
func (p *Proxy) Cut() {
	p.set(func() { p.cut = true })
	p.Reset()
}

// Reset resets the connections there are now. New ones are not hindered.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
	p.changed.Broadcast()
}

// Freeze stops what flows in a direction, on the connections there are and on
// new ones, until Heal. A direction that was frozen before stays so.
func (p *Proxy) Freeze(d Direction) { p.set(func() { p.frozen |= d }) }

// Delay holds everything back for d in each direction, until Heal.
func (p *Proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// Heal ends all faults. What a frozen direction held goes out, late.
func (p *Proxy) Heal() {
	p.set(func() { p.cut, p.frozen, p.delay = false, 0, 0 })
}

// Retarget sends new connections to another server. Those there are stay where
// they are, as when a name or a virtual address is moved.
func (p *Proxy) Retarget(target string) { p.set(func() { p.target = target }) }

// Connections is how many clients are connected now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.changed.Broadcast()
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.Cut()
	p.tasks.Wait()
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.tasks.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

// serve passes one client's connection on until both sides have ended it.
func (p *Proxy) serve(client *net.TCPConn) {
	defer client.Close()
	conn, err := net.DialTimeout("tcp", p.targetNow(), 10*time.Second)
	if err != nil {
		_ = client.SetLinger(0)
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()

	l := &link{client: client, server: server, done: make(chan struct{})}
	if !p.add(l) {
		return
	}
	defer p.remove(l)
	var pumps sync.WaitGroup
	same := func(b []byte) []byte { return b }
	toClient := same
	if p.translate != nil {
		toClient = p.translate()
	}
	pumps.Go(func() { p.pump(l, ToServer, client, server, same) })
	pumps.Go(func() { p.pump(l, ToClient, server, client, toClient) })
	pumps.Wait()
}

func (p *Proxy) targetNow() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

// add reports whether the connection may live.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		l.reset()
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
