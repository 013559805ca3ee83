// Package socket carries bytes between a door and its client, and never waits
// for the client. Whoever sends writes to the system at once; only what the
// system has no room for is queued, and what is queued for one client leaves in
// as few writes as possible.
//
// On Linux a connection that nothing is sent to or received from costs its
// file descriptor and a Socket: no goroutine, no buffer, no timer. One
// goroutine waits for all of them (poller), and one makes the rounds with the
// pings (wheel). Elsewhere, and for connections that are not plain TCP, two
// goroutines serve each (plain), behind the same methods.
//
// # Who calls whom
//
// A socket has one goroutine that reads: the poller, or its own. It alone calls
// the owner's Received and Ended, one after the other, and it alone closes the
// file descriptor. Everybody else who wants a socket to end shuts it down, which
// the reading goroutine sees.
//
// Lock order: whatever the caller of Send or Finish holds, then Socket.mu. No
// method of the owner is called under Socket.mu.
package socket

import (
	"sync"
	"time"
)

// Owner is the door's session that a socket belongs to.
type Owner interface {
	// Received hands over what has come and was not used before. It returns how
	// much of it was used; the rest comes again, with more behind it. b is only
	// valid during the call.
	Received(b []byte) (used int)
	// Drained says that nothing waits for the client any more.
	Drained()
	// TooSlow says that more than Options.Limit has waited for too long: see grace.
	TooSlow()
	// Ended says that the connection is over, once, after everything else.
	Ended(how Ending)
}

// Ending is how a connection came to its end.
type Ending uint8

const (
	// Left says that the client closed.
	Left Ending = iota
	// Lost says that reading or writing failed.
	Lost
	// Unanswered says that nothing came for a whole interval after a ping.
	Unanswered
	// Stuck says that the client took nothing for a whole interval, while
	// something waited.
	Stuck
	// Finished says that this side closed.
	Finished
)

// Options say how a door's sockets behave. All sockets of a door share one value.
type Options struct {
	// Limit is how many bytes may wait for a client for longer than grace.
	Limit int
	// Ping is sent once in each interval of the loop. It must not be changed.
	Ping []byte
	// Answered: a client that has received a ping must send something.
	Answered bool
}

// Socket is one client's connection.
type Socket struct {
	// Fixed after Take.
	loop    *Loop
	device  device
	owner   Owner
	options *Options
	round   round // where the wheel has it; guarded by the wheel's lock

	// Owned by the goroutine that reads.
	unused []byte // received, and not used by the owner yet

	mu     sync.Mutex
	state  state
	how    Ending
	queue  *queue // nil while nothing waits
	cut    *time.Timer
	pinged bool // since the last ping …
	heard  bool // … something came
	moved  bool // … some of the queue left
}

type state uint8

const (
	open    state = iota
	closing       // the last byte is known; it may wait
	broken        // shut down; the reading goroutine will see it
	ended
)

// device is what moves the bytes. Its methods are called under Socket.mu.
type device interface {
	// send writes without waiting and returns how much the system took.
	send(b []byte) (int, error)
	// awaitRoom has flush called when there is room again.
	awaitRoom()
	// shutdown ends the way out, or both ways.
	shutdown(both bool)
	// close lets go of the connection. Only the goroutine that reads calls it.
	close()
}

// Send hands over a frame: head, which is this client's own and may be nil,
// and body, which it may share with others. Neither may be changed afterwards.
// It does not wait. It returns false if the client is too far behind.
func (s *Socket) Send(head, body []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := frame{head, body}
	switch {
	case s.state != open:
		// Nobody will read it.
	case s.queue == nil:
		s.write(f)
	case s.queue.fits(f):
		s.queue.add(f)
	default:
		return false
	}
	return true
}

// write sends what the system takes and queues the rest. Nothing waits, and
// s.mu is held.
func (s *Socket) write(f frame) {
	n, err := s.sendNow(f)
	if err != nil {
		s.breakOff(Lost)
		return
	}
	if n == f.size() {
		return
	}
	s.queue = newQueue(s.options.Limit, s.judge, &s.loop.queued)
	s.queue.add(f)
	s.queue.drop(n)
	s.moved = true // the clock of the stuck begins now
	s.device.awaitRoom()
}

// sendNow makes one write of both parts; s.mu is held.
func (s *Socket) sendNow(f frame) (int, error) {
	if len(f.head) == 0 {
		return s.device.send(f.body)
	}
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	b := append(append((*scratch)[:0], f.head...), f.body...)
	*scratch = b[:0]
	return s.device.send(b)
}

// judge closes a client that has been too far behind for too long.
func (s *Socket) judge() {
	s.mu.Lock()
	slow := s.state == open && s.queue != nil && s.queue.tooSlow()
	s.mu.Unlock()
	if slow {
		s.owner.TooSlow()
	}
}

// Ready reports whether a past event of size bytes may be sent: past events
// take up to half of the limit, so that live ones find room.
func (s *Socket) Ready(size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue == nil || s.queue.bytes+size <= s.options.Limit/2
}

// Finish ends the connection: what waits still leaves, unless it is given up,
// then last (may be nil). The client has patience to read it and to close.
func (s *Socket) Finish(last []byte, giveUp bool, patience time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open {
		return
	}
	if s.queue != nil && giveUp {
		s.queue.giveUp()
		if s.queue.empty() {
			s.queue = nil
		}
	}
	switch f := (frame{body: last}); {
	case len(last) == 0:
	case s.queue != nil:
		s.queue.add(f)
	default:
		s.write(f)
	}
	if s.state != open {
		return // writing failed
	}
	s.state = closing
	if s.queue == nil {
		s.device.shutdown(false)
	}
	if patience <= 0 {
		s.breakOff(Finished)
		return
	}
	s.cut = time.AfterFunc(patience, func() { s.Abort(Finished) })
}

// Abort ends the connection at once.
func (s *Socket) Abort(how Ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breakOff(how)
}

// breakOff shuts both ways, so that the goroutine that reads comes to the end;
// s.mu is held.
func (s *Socket) breakOff(how Ending) {
	if s.state == broken || s.state == ended {
		return
	}
	if s.state == closing {
		how = Finished
	}
	s.state, s.how = broken, how
	s.device.shutdown(true)
}

// Start begins to write and to read. early is what the client sent behind its handshake.
func (s *Socket) Start(early []byte) {
	if len(early) > 0 {
		s.received(early)
	}
	s.loop.start(s)
	s.flush()
}

// received passes on what has come.
func (s *Socket) received(b []byte) {
	s.mu.Lock()
	s.heard = true
	live := s.state == open
	s.mu.Unlock()
	if !live {
		return // it is over for us; only the end is awaited
	}
	again := len(s.unused) > 0
	if again {
		s.unused = append(s.unused, b...)
		b = s.unused
	}
	used := s.owner.Received(b)
	switch rest := b[used:]; {
	case len(rest) == 0:
		s.unused = nil
	case !again || used > 0:
		s.unused = append([]byte(nil), rest...)
	}
}

// end closes. Called once, by the goroutine that reads, when it can read no
// more: eof says that the client closed.
func (s *Socket) end(eof bool) {
	s.loop.wheel.remove(s)
	s.mu.Lock()
	how := s.how
	switch {
	case s.state == closing:
		how = Finished
	case s.state == open && eof:
		how = Left
	case s.state == open:
		how = Lost
	}
	s.state = ended
	if s.queue != nil {
		s.queue.abandon()
		s.queue = nil
	}
	if s.cut != nil {
		s.cut.Stop()
	}
	s.device.close()
	s.mu.Unlock()
	s.unused = nil
	s.owner.Ended(how)
	s.loop.sockets.Done()
}

// flush sends what waits, as far as the system takes it.
func (s *Socket) flush() {
	s.mu.Lock()
	if s.queue == nil || s.state == broken || s.state == ended {
		s.mu.Unlock()
		return
	}
	scratch := scratches.Get().(*[]byte)
	for s.queue != nil && s.state != broken {
		b := s.queue.gather((*scratch)[:0], gatherBytes)
		*scratch = b[:0]
		n, err := s.device.send(b)
		if err != nil {
			s.breakOff(Lost)
			break
		}
		s.left(n)
		if n < len(b) {
			s.device.awaitRoom()
			break
		}
	}
	scratches.Put(scratch)
	drained := s.queue == nil
	s.mu.Unlock()
	if drained {
		s.owner.Drained()
	}
}

// left notes that the first n bytes of the queue are gone; s.mu is held.
func (s *Socket) left(n int) {
	if n > 0 {
		s.moved = true
	}
	s.queue.drop(n)
	if !s.queue.empty() {
		return
	}
	s.queue = nil
	if s.state == closing {
		s.device.shutdown(false)
	}
}

// tick is the wheel's visit, once in an interval. A client that something
// waits for is not pinged: that it takes what waits shows that it lives.
func (s *Socket) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state != open:
	case s.queue != nil && !s.moved:
		s.breakOff(Stuck)
	case s.queue != nil:
		s.moved, s.pinged = false, false
	case s.pinged && !s.heard:
		s.breakOff(Unanswered)
	default:
		s.pinged, s.heard = s.options.Answered, false
		s.write(frame{body: s.options.Ping})
	}
}

// scratches hold what is put together for one write.
var scratches = sync.Pool{New: func() any {
	b := make([]byte, 0, gatherBytes)
	return &b
}}
