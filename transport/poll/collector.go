package poll

import (
	"sync"

	"relay/event"
	"relay/hub"
	"relay/transport/native"
)

// collector is a hub.Sink that gathers the frames of one answer.
type collector struct {
	// Fixed after newCollector.
	limit int
	// settled is closed when every channel has been answered for: it is refused
	// or told about, and live unless more of the past than fits is waiting. A
	// cursor given out before that would lack channels. something is closed
	// when there is an event, or anything else the client would want at once.
	settled, something chan struct{}

	mu     sync.Mutex
	untold int  // channels of which the client has not been told where it stands
	past   int  // channels that are not live
	full   bool // more of the past waits than fits
	frames [][]byte
	bytes  int
	cursor []byte
	closed event.Reason
}

func newCollector(channels, limit int) *collector {
	return &collector{
		limit: limit, untold: channels, past: channels,
		settled: make(chan struct{}), something: make(chan struct{}),
	}
}

// burst is how many times the limit live events may take while the answer waits.
const burst = 64

// The first byte of a frame from frameFormat says what it is to the collector.
const (
	markFrame     = 'f' // part of the answer
	markTold      = 't' // part of it: the client knows where it stands in one more channel
	markSomething = 's' // part of it, and worth an answer
	markRefused   = 'r' // the same, and one channel less to wait for
	markLive      = 'l' // no part of it: one channel has caught up
)

// Send implements hub.Sink.
func (c *collector) Send(head, body []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if head != nil {
		c.cursor = head
	}
	if c.bytes > c.limit*burst {
		return false // some channel keeps the answer waiting while others pour
	}
	mark, frame := body[0], body[1:]
	if len(frame) > 0 {
		c.frames = append(c.frames, frame)
		c.bytes += len(frame)
	}
	switch mark {
	case markSomething:
		closeOnce(c.something)
	case markTold:
		c.untold--
	case markLive:
		c.past--
	case markRefused:
		closeOnce(c.something)
		c.untold--
		c.past--
	}
	c.settle()
	return true
}

// settle closes settled when it is time; c.mu is held.
func (c *collector) settle() {
	if c.untold <= 0 && (c.past <= 0 || c.full) {
		closeOnce(c.settled)
	}
}

// Ready implements hub.Sink: beyond the limit the past waits for the next request.
func (c *collector) Ready(size int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes == 0 || c.bytes+size <= c.limit {
		return true
	}
	c.full = true
	c.settle()
	return false
}

// Close implements hub.Sink.
func (c *collector) Close(reason event.Reason, _ string, last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = reason
	if last != nil {
		if len(last) > 0 && reason != event.ReasonClientClosed {
			c.frames = append(c.frames, goodbyeOf(last))
		}
	}
	closeOnce(c.settled)
	closeOnce(c.something)
}

// goodbyeOf cuts off what stands before the last frame: its cursor, which the
// answer carries anyway, and its mark.
func goodbyeOf(last []byte) []byte {
	for i, b := range last {
		if b == '{' {
			return last[i:]
		}
	}
	return last
}

// closeOnce closes a channel that may be closed; the collector's lock is held.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// frameFormat writes frames as they stand in an answer, each behind its mark.
type frameFormat struct{}

func (frameFormat) Transport() string { return "poll" }

func (frameFormat) Encode(f *hub.Frame) []byte {
	mark := byte(markFrame)
	switch f.Type {
	case hub.FrameWelcome, hub.FramePong:
		return nil
	case hub.FrameLive:
		return []byte{markLive}
	case hub.FrameSubscribed:
		mark = markTold
	case hub.FrameEvent, hub.FrameReset, hub.FrameGoodbye:
		mark = markSomething
	case hub.FrameError:
		mark = markRefused
	}
	return native.AppendFrame(append(make([]byte, 0, native.SizeHint(f)+1), mark), f)
}

// Joins: each frame is counted and marked.
func (frameFormat) Joins() bool { return false }

func (frameFormat) HasCursor() bool { return true }

func (frameFormat) Cursor(cursor []byte) []byte { return append([]byte(nil), cursor...) }
