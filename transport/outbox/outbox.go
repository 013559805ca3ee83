// Package outbox is the plain way from the hub to a client: a bounded queue
// that the hub fills without waiting and one goroutine of a door empties at
// the client's pace.
package outbox

import (
	"sync"
	"time"

	"relay/event"
)

// A client is too slow when more than the limit has waited for it for longer
// than grace, or more than burst times the limit waits at all. A queue is over
// its limit for a moment whenever a large request or a read of history comes
// in faster than any socket takes it; that says nothing about the client, and
// it costs little, because the waiting bodies are shared by all clients.
const (
	grace = 5 * time.Second
	burst = 64
)

// Outbox implements hub.Sink for a door with a writer goroutine.
type Outbox struct {
	// Fixed after New.
	limit   int
	slow    func()
	wake    chan struct{}
	closing chan struct{}

	mu     sync.Mutex
	frames []Frame
	bytes  int
	over   *time.Timer // runs while bytes is over the limit
	end    *End
}

// Frame is one frame's bytes: the client's own head, which may be nil, then
// the body, which it shares with others. Neither may be changed.
type Frame struct{ Head, Body []byte }

// End says how the hub closed.
type End struct {
	Reason event.Reason
	// Text explains it to a person.
	Text string
}

// New makes an outbox for a client that may be behind by limit bytes. slow is
// called, on a goroutine of its own, when it has been further behind for too
// long.
func New(limit int, slow func()) *Outbox {
	return &Outbox{limit: limit, slow: slow, wake: make(chan struct{}, 1), closing: make(chan struct{})}
}

// Send implements hub.Sink.
func (o *Outbox) Send(head, body []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := len(head) + len(body)
	if o.bytes+size > o.limit*burst {
		return false
	}
	o.bytes += size
	if o.bytes > o.limit && o.over == nil {
		o.over = time.AfterFunc(grace, o.slow)
	}
	o.frames = append(o.frames, Frame{head, body})
	o.rouse()
	return true
}

// Ready implements hub.Sink: past events take up to half of the limit.
func (o *Outbox) Ready(size int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes == 0 || o.bytes+size <= o.limit/2
}

// Close implements hub.Sink.
func (o *Outbox) Close(reason event.Reason, text string, last []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calm()
	if reason == event.ReasonSlow {
		// The client is behind by all of this and resumes anyway; sending it
		// first would only keep its goodbye from arriving.
		o.frames, o.bytes = nil, 0
	}
	if last != nil {
		o.frames = append(o.frames, Frame{Body: last})
	}
	o.end = &End{reason, text}
	close(o.closing)
	o.rouse()
}

// calm stops the clock of a client that is no longer behind; o.mu is held.
func (o *Outbox) calm() {
	if o.over != nil {
		o.over.Stop()
		o.over = nil
	}
}

func (o *Outbox) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Wake receives when there may be something to Take.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }

// Closing is closed when the hub has closed: the writer should come to an end
// soon, whether the client reads or not.
func (o *Outbox) Closing() <-chan struct{} { return o.closing }

// takeBytes bounds what one Take returns, so that Done is told often how far
// the client has come.
const takeBytes = 64 << 10

// Take returns what waits, in order, or the first part of it. A non-nil end
// comes with the last frames there will be. What was taken counts as waiting
// until Done is called with it.
func (o *Outbox) Take() (frames []Frame, end *End) {
	o.mu.Lock()
	defer o.mu.Unlock()
	size, n := 0, 0
	for n < len(o.frames) && size < takeBytes {
		size += o.frames[n].size()
		n++
	}
	frames = o.frames[:n:n]
	o.frames = o.frames[n:]
	if len(o.frames) > 0 {
		o.rouse()
		return frames, nil
	}
	o.frames = nil
	return frames, o.end
}

// Done says that frames have left for the client, and reports whether nothing
// waits any more.
func (o *Outbox) Done(frames []Frame) (drained bool) {
	size := 0
	for _, f := range frames {
		size += f.size()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes = max(0, o.bytes-size)
	if o.bytes <= o.limit {
		o.calm()
	}
	return o.bytes == 0
}

func (f Frame) size() int { return len(f.Head) + len(f.Body) }
