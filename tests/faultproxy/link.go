package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is one client's connection and the one to the server behind it.
type link struct {
	client, server *net.TCPConn
	once           sync.Once
	done           chan struct{} // closed by reset
}

// reset ends both connections at once; each peer gets an RST.
func (l *link) reset() {
	l.once.Do(func() {
		close(l.done)
		for _, c := range []*net.TCPConn{l.client, l.server} {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	})
}

// chunk is what was read at once; data is nil at the end of the stream.
type chunk struct {
	read time.Time
	data []byte
	err  error
}

// maxChunks bounds what a direction holds; beyond it the sender's own socket
// fills, as it would without a proxy.
const maxChunks = 64

// pump passes on what flows in one direction. It reads ahead of what it
// writes, so that a delay costs time and no throughput.
func (p *Proxy) pump(l *link, d Direction, from, to *net.TCPConn, translate func([]byte) []byte) {
	chunks := make(chan chunk, maxChunks)
	var reader sync.WaitGroup
	reader.Go(func() { l.read(from, chunks) })
	defer reader.Wait()
	for {
		select {
		case c := <-chunks:
			if !p.await(l, d, c.read) {
				return
			}
			if errors.Is(c.err, io.EOF) {
				_ = to.CloseWrite()
				return
			}
			if c.err != nil {
				l.reset()
				return
			}
			if _, err := to.Write(translate(c.data)); err != nil {
				l.reset()
				return
			}
		case <-l.done:
			return
		}
	}
}

func (l *link) read(from *net.TCPConn, chunks chan<- chunk) {
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 && !l.hold(chunks, chunk{read: time.Now(), data: b[:n]}) {
			return
		}
		if err != nil {
			l.hold(chunks, chunk{read: time.Now(), err: err})
			return
		}
	}
}

// hold reports whether the link still lives.
func (l *link) hold(chunks chan<- chunk, c chunk) bool {
	select {
	case chunks <- c:
		return true
	case <-l.done:
		return false
	}
}

// await returns when a chunk may go on: its delay is over and its direction
// flows. It reports whether the link still lives.
func (p *Proxy) await(l *link, d Direction, read time.Time) bool {
	p.mu.Lock()
	for p.frozen&d != 0 && !l.ended() {
		p.changed.Wait()
	}
	delay := p.delay
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(read.Add(delay)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return !l.ended()
	case <-l.done:
		return false
	}
}

func (l *link) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}
