package socket

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Loop serves the sockets of a program.
type Loop struct {
	// Fixed after NewLoop.
	wheel   *wheel
	pollers pollers
	stop    chan struct{}
	tasks   sync.WaitGroup

	queued  atomic.Int64   // bytes that wait for clients
	sockets sync.WaitGroup // those that were taken and have not ended
}

// NewLoop makes a loop that pings every client once in an interval. The error
// is the system's: it has no descriptors left.
func NewLoop(interval time.Duration) (*Loop, error) {
	l := &Loop{wheel: &wheel{tick: interval / spokes}, stop: make(chan struct{})}
	if err := l.pollers.open(&l.tasks); err != nil {
		return nil, err
	}
	l.tasks.Go(func() { l.wheel.run(l.stop) })
	return l, nil
}

// QueuedBytes is how much waits for clients that do not take it. Bodies that
// are shared by clients count for each of them.
func (l *Loop) QueuedBytes() int64 { return l.queued.Load() }

// Close ends all sockets and the goroutines of the loop. A handler may come to
// Take during it or later, since nobody waits for one that has taken its
// connection from the HTTP server: it gets ErrClosed.
func (l *Loop) Close() {
	close(l.stop)
	for _, s := range l.wheel.close() {
		s.Abort(Finished)
	}
	l.sockets.Wait()
	l.pollers.close()
	l.tasks.Wait()
}

// Take takes a connection over; conn must not be used any more. Before Start
// nothing is read from it, and what is sent waits, so that a door's first words
// leave in one piece. The first of them is the answer to the client's request.
// On an error the connection has been closed.
func (l *Loop) Take(conn net.Conn, options *Options, owner Owner) (*Socket, error) {
	s := &Socket{loop: l, owner: owner, options: options, moved: true}
	s.queue = newQueue(options.Limit, s.judge, &l.queued)
	s.queue.opening = true
	if err := l.attach(s, conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	if !l.wheel.add(s, &l.sockets) {
		s.device.close()
		return nil, ErrClosed
	}
	return s, nil
}

// ErrClosed says that a loop takes no sockets any more.
var ErrClosed = errors.New("the relay no longer takes connections")
