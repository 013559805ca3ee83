// Package outbox is the plain way from the hub to a client: a queue bounded in
// bytes that the hub fills without waiting and one goroutine of a door
// empties at the client's pace.
package outbox

import (
	"sync"

	"relay/event"
)

// Outbox implements hub.Sink for a door with a writer goroutine.
type Outbox struct {
	// Fixed after New.
	limit   int
	wake    chan struct{}
	closing chan struct{}

	mu     sync.Mutex
	frames []Frame
	bytes  int
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

// New makes an outbox that holds up to limit bytes.
func New(limit int) *Outbox {
	return &Outbox{limit: limit, wake: make(chan struct{}, 1), closing: make(chan struct{})}
}

// Send implements hub.Sink. One frame is always taken by an empty outbox,
// however large: its size was bounded when it was published.
func (o *Outbox) Send(head, body []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := len(head) + len(body)
	if o.bytes > 0 && o.bytes+size > o.limit {
		return false
	}
	o.bytes += size
	o.frames = append(o.frames, Frame{head, body})
	o.rouse()
	return true
}

// Close implements hub.Sink.
func (o *Outbox) Close(reason event.Reason, text string, last []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
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

// Take empties the queue. A non-nil end comes with the last frames there will be.
// The queue counts what was taken as waiting until Done is called with it.
func (o *Outbox) Take() (frames []Frame, end *End) {
	o.mu.Lock()
	defer o.mu.Unlock()
	frames, o.frames = o.frames, nil
	return frames, o.end
}

// Done says that frames have left for the client.
func (o *Outbox) Done(frames []Frame) {
	size := 0
	for _, f := range frames {
		size += len(f.Head) + len(f.Body)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes = max(0, o.bytes-size)
}
