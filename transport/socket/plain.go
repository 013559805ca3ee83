package socket

import (
	"errors"
	"io"
	"net"
)

// plain is a device with two goroutines: one reads, one writes what waits.
type plain struct {
	conn net.Conn
	room chan struct{} // wakes the writer
}

func newPlain(conn net.Conn) *plain { return &plain{conn: conn, room: make(chan struct{}, 1)} }

// send leaves everything to the writer.
func (p *plain) send([]byte) (int, error) { return 0, nil }

func (p *plain) awaitRoom() {
	select {
	case p.room <- struct{}{}:
	default:
	}
}

func (p *plain) shutdown(both bool) {
	if both {
		_ = p.conn.Close()
		return
	}
	if half, ok := p.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

func (p *plain) close() {
	_ = p.conn.Close()
	close(p.room)
}

// run reads until the end.
func (p *plain) run(s *Socket) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		p.write(s)
	}()
	buffer := make([]byte, 4<<10)
	for {
		n, err := p.conn.Read(buffer)
		if n > 0 {
			s.received(buffer[:n])
		}
		if err != nil {
			s.end(errors.Is(err, io.EOF))
			<-written
			return
		}
	}
}

// pieceBytes is how much goes into one write, which returns only when all of it
// is gone: a client that takes this much in an interval is not stuck, and of
// one that takes less nothing is known. It is what TLS puts into one record.
const pieceBytes = 16 << 10

func (p *plain) write(s *Socket) {
	var buffer []byte
	for range p.room {
		for {
			s.mu.Lock()
			if s.queue == nil || s.state == broken || s.state == ended {
				s.mu.Unlock()
				break
			}
			buffer = s.queue.gather(buffer[:0], pieceBytes)
			s.queue.flying = len(buffer)
			s.mu.Unlock()
			n, err := p.conn.Write(buffer)
			if !p.wrote(s, n, err) {
				return
			}
		}
	}
}

// wrote notes what came of a write, and reports whether there can be another.
func (p *plain) wrote(s *Socket, n int, err error) bool {
	s.mu.Lock()
	if s.queue == nil {
		s.mu.Unlock()
		return false // the socket has ended meanwhile
	}
	s.queue.flying = 0
	s.left(n)
	drained := s.queue == nil
	if err != nil {
		s.breakOff(Lost)
	}
	s.mu.Unlock()
	if drained && err == nil {
		s.owner.Drained()
	}
	return err == nil
}
