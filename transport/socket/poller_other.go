//go:build !linux

package socket

import (
	"net"
	"sync"
)

// pollers are Linux's.
type pollers struct{}

func (pollers) open(*sync.WaitGroup) error { return nil }

func (pollers) close() {}

func (l *Loop) attach(s *Socket, conn net.Conn) error {
	s.device = newPlain(conn)
	return nil
}

func (l *Loop) start(s *Socket) {
	if d, ok := s.device.(*plain); ok {
		l.tasks.Go(func() { d.run(s) })
	}
}
