package chaos

import (
	"context"
	"net"
	"sync"
	"time"
)

// brake makes a client slow: until it is released, its connections read a
// little at a time.
type brake struct {
	once     sync.Once
	released chan struct{}
}

const (
	slowBytes = 512
	slowPause = 60 * time.Millisecond
	// slowBuffer keeps the system from reading for a slow client.
	slowBuffer = 32 << 10
)

func newBrake() *brake { return &brake{released: make(chan struct{})} }

func (b *brake) release() { b.once.Do(func() { close(b.released) }) }

func (b *brake) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	select {
	case <-b.released:
		return conn, nil
	default:
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(slowBuffer)
	}
	return &slowConn{Conn: conn, brake: b}, nil
}

// slowConn reads at most slowBytes each slowPause.
type slowConn struct {
	net.Conn
	brake *brake
	once  sync.Once
}

// widen gives the system room again: a window smaller than a packet of the
// loopback device is filled by timers only, five times a second.
func (c *slowConn) widen() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(1 << 20)
	}
}

func (c *slowConn) Read(b []byte) (int, error) {
	timer := time.NewTimer(slowPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		b = b[:min(len(b), slowBytes)]
	case <-c.brake.released:
		c.once.Do(c.widen)
	}
	return c.Conn.Read(b)
}
