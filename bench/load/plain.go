package load

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// plain is the driver for every system and for TLS: a goroutine reads for
// each client.
type plain struct {
	crowd *Crowd
	slots chan struct{} // one for each connection being made

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
	wg     sync.WaitGroup
}

var errClosed = errors.New("the load tester closed the connection")

func newPlain(c *Crowd) *plain { return &plain{crowd: c, slots: make(chan struct{}, c.options.AtOnce)} }

func (p *plain) busy() []time.Duration { return nil }

func (p *plain) start() error {
	p.wg.Go(func() {
		for _, g := range p.crowd.groups {
			for _, c := range g.clients {
				p.slots <- struct{}{}
				p.wg.Go(func() { p.serve(g, c) })
			}
		}
	})
	return nil
}

func (p *plain) serve(g *group, c *client) {
	freed := sync.OnceFunc(func() { <-p.slots })
	defer freed()
	err := p.read(g, c, freed)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.end(c, err)
}

// read connects and reads until the connection ends, and says why it did.
func (p *plain) read(g *group, c *client, connected func()) error {
	c.began = now()
	conn, err := p.dial(g.endpoint)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(c.channel.request); err != nil {
		return err
	}
	buffer := make([]byte, 8<<10)
	for {
		old := copy(buffer, c.partial)
		if old == len(buffer) {
			buffer = make([]byte, 2*len(buffer))
			continue
		}
		n, err := conn.Read(buffer[old:])
		if err != nil {
			return err
		}
		g.mu.Lock()
		reply, err := g.receive(c, buffer[:old+n], n)
		live := c.live
		g.mu.Unlock()
		if err != nil {
			return err
		}
		if live {
			connected()
		}
		if len(reply) > 0 {
			if _, err := conn.Write(reply); err != nil {
				return err
			}
		}
	}
}

func (p *plain) dial(e endpoint) (net.Conn, error) {
	dialer := net.Dialer{Timeout: connectPatience, KeepAlive: -1}
	conn, err := dialer.Dial("tcp", e.addr)
	if err != nil {
		return nil, err
	}
	if e.tls != nil {
		conn = tls.Client(conn, e.tls)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = conn.Close()
		return nil, errClosed
	}
	p.conns = append(p.conns, conn)
	return conn, nil
}

// connectPatience is how long making one connection may take.
const connectPatience = 30 * time.Second

func (p *plain) close() {
	p.mu.Lock()
	p.closed = true
	conns := p.conns
	p.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
	p.wg.Wait()
}
