package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// manner is how a client treats its connections.
type manner string

const (
	plain   manner = ""
	slow    manner = "slow"    // reads a little at a time
	sipping manner = "sipping" // reads and writes a byte at a time
	deaf    manner = "deaf"    // stops reading, and after a while gives up
	rude    manner = "rude"    // breaks off in the middle of something
)

// manners are drawn from: half of the clients have none.
var manners = []manner{plain, plain, plain, plain, slow, sipping, deaf, rude}

// brake makes a client behave badly until it is released.
type brake struct {
	manner   manner
	once     sync.Once
	released chan struct{}

	mu   sync.Mutex
	dice *rand.Rand
}

const (
	slowBytes = 512
	slowPause = 60 * time.Millisecond
	sipPause  = 200 * time.Microsecond
	// slowBuffer keeps the system from reading for a slow client.
	slowBuffer = 32 << 10
	// deafFor is longer than a relay waits for a client that is too far behind.
	deafFor  = 9 * time.Second
	deafFrom = 8 << 10 // at most so many bytes it reads before
	rudeFrom = 24 << 10
)

func newBrake(dice *rand.Rand) *brake {
	return &brake{manner: manners[dice.IntN(len(manners))], dice: dice, released: make(chan struct{})}
}

func (b *brake) release() { b.once.Do(func() { close(b.released) }) }

func (b *brake) draw(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dice.IntN(n)
}

func (b *brake) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil || b.manner == plain {
		return conn, err
	}
	select {
	case <-b.released:
		return conn, nil
	default:
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(slowBuffer)
	}
	c := &brakedConn{Conn: conn, brake: b}
	switch b.manner {
	case deaf:
		c.left = 1 + b.draw(deafFrom)
	case rude:
		c.left = 1 + b.draw(rudeFrom)
	}
	return c, nil
}

// brakedConn reads and writes in the manner of its client.
type brakedConn struct {
	net.Conn
	brake *brake
	once  sync.Once
	left  int // bytes that a deaf or rude client still reads
}

// widen gives the system room again: a window smaller than a packet of the
// loopback device is filled by timers only, five times a second.
func (c *brakedConn) widen() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(1 << 20)
	}
}

var errManner = errors.New("the client broke off")

func (c *brakedConn) Read(b []byte) (int, error) {
	most := len(b)
	switch c.brake.manner {
	case slow:
		if !c.released(slowPause) {
			most = slowBytes
		}
	case sipping:
		if !c.released(sipPause) {
			most = 1
		}
	default:
		if c.left == 0 && !c.released(0) {
			if c.brake.manner == deaf && c.released(deafFor) {
				break
			}
			_ = c.Close()
			return 0, errManner
		}
		most = c.left
		if c.released(0) {
			most = len(b)
		}
	}
	n, err := c.Conn.Read(b[:min(most, len(b))])
	c.left = max(0, c.left-n)
	return n, err
}

func (c *brakedConn) Write(b []byte) (int, error) {
	if c.brake.manner != sipping || c.released(0) {
		return c.Conn.Write(b)
	}
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// released reports whether the client is released within so long.
func (c *brakedConn) released(within time.Duration) bool {
	if within > 0 {
		timer := time.NewTimer(within)
		defer timer.Stop()
		select {
		case <-timer.C:
			return false
		case <-c.brake.released:
		}
	} else {
		select {
		case <-c.brake.released:
		default:
			return false
		}
	}
	c.once.Do(c.widen)
	return true
}
