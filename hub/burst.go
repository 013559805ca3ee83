package hub

import (
	"time"

	"relay/event"
)

// burst is what is handed to the live subscriptions of a topic together: all
// the events that its worker found waiting. Each is encoded once for a wire,
// and all of them leave for a client in one write, which costs little more than
// a write of one. Owned by a worker, which uses it again and again.
type burst struct {
	frames []Frame
	// stood is where the topic stood before each.
	stood []event.Position
	// last is the position after all of them.
	last event.Position
	// personal: some event is not for everybody.
	personal bool

	encodings []encoding
}

// step is an event, and where its topic stood before it.
type step struct {
	stood event.Position
	event *event.Event
}

// maxBurstBytes bounds a burst: what waits longer goes into the next one.
const maxBurstBytes = 64 << 10

// encoding is a burst in the bytes of one wire.
type encoding struct {
	format Format
	// alone: for connections of one channel. Their cursor is the position of
	// the event, so it is no connection's own and stands before each body.
	alone bool
	// bodies are the frames one by one; nil where the wire does not say one.
	bodies [][]byte
	// joined is all of them in a row, starts where each begins. It is of use
	// where bodies are all there is: see whole.
	joined []byte
	starts []int
}

// whole reports whether a client needs nothing but the joined bytes.
func (e *encoding) whole() bool { return e.format.Joins() && (e.alone || !e.format.HasCursor()) }

func (b *burst) set(channel string, steps []step) {
	for _, s := range steps {
		b.frames = append(b.frames, Frame{Type: FrameEvent, Channel: channel, ID: s.event.ID, Event: s.event})
		b.stood = append(b.stood, s.stood)
		b.personal = b.personal || len(s.event.Exclude) > 0
		b.last = s.stood
		if !s.event.ID.IsZero() {
			b.last = s.event.ID
		}
	}
}

func (b *burst) reset() {
	clear(b.frames)
	clear(b.encodings)
	*b = burst{frames: b.frames[:0], stood: b.stood[:0], encodings: b.encodings[:0]}
}

// observe tells how long ago the events were posted.
func (b *burst) observe(m Metrics) {
	now := time.Now()
	for i := range b.frames {
		if posted := b.frames[i].Event.Posted; !posted.IsZero() {
			m.Delay(max(0, now.Sub(posted)))
		}
	}
}

// after is the index of the first frame for a client that stands at a
// position. A replay may have brought it past the first ones; what history does
// not keep and stands among those would come out of order. here is false if the
// client stands in another history than the topic.
func (b *burst) after(at event.Position) (first int, here bool) {
	for i, stood := range b.stood {
		id := b.frames[i].ID
		switch {
		case at == stood:
			return i, true
		case at.Offset > stood.Offset && (at.Offset != id.Offset || at == id):
			// A replay was ahead of the topic.
		default:
			return i, false
		}
	}
	return len(b.stood), true
}

// in returns the burst in a format, encoding it the first time.
func (b *burst) in(format Format, alone bool) *encoding {
	alone = alone && format.HasCursor() && format.Joins()
	for i := range b.encodings {
		if e := &b.encodings[i]; e.format == format && e.alone == alone {
			return e
		}
	}
	b.encodings = append(b.encodings, encoding{format: format, alone: alone})
	e := &b.encodings[len(b.encodings)-1]
	for i := range b.frames {
		e.encode(&b.frames[i])
	}
	e.join()
	return e
}

func (e *encoding) encode(f *Frame) {
	body := e.format.Encode(f)
	if e.alone && !f.ID.IsZero() {
		var text [maxPositionBytes]byte
		body = append(e.format.Cursor(f.ID.Append(text[:0])), body...)
	}
	e.bodies = append(e.bodies, body)
}

// maxPositionBytes is the length of the longest position's text.
const maxPositionBytes = 48

func (e *encoding) join() {
	if !e.whole() {
		return
	}
	if len(e.bodies) == 1 {
		e.joined, e.starts = e.bodies[0], []int{0}
		return
	}
	size := 0
	for _, body := range e.bodies {
		e.starts = append(e.starts, size)
		size += len(body)
	}
	e.joined = make([]byte, 0, size)
	for _, body := range e.bodies {
		e.joined = append(e.joined, body...)
	}
}

// deliver hands a burst over. It returns how many events the client got, and
// of how many bytes; here is false if the subscription stands in another
// history than its topic, and has got none.
func (c *Conn) deliver(s *subscription, b *burst) (events, bytes int, here bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subLive {
		return 0, 0, true
	}
	from, here := b.after(s.position)
	if !here || from == len(b.frames) {
		return 0, 0, here
	}
	e := b.in(c.format, !c.many)
	if !e.whole() || b.personal {
		events, bytes = c.deliverEach(s, b.frames[from:], e.bodies[from:], e.alone)
		return events, bytes, true
	}
	if s.position != b.last { // else all of it is without history
		s.stand(b.last)
	}
	body := e.joined[e.starts[from]:]
	if !c.hand(nil, body) {
		return 0, 0, true
	}
	return len(b.frames) - from, len(body), true
}

// deliverEach hands frames over one by one; c.mu is held.
func (c *Conn) deliverEach(s *subscription, frames []Frame, bodies [][]byte, alone bool) (events, bytes int) {
	for i := range frames {
		f := &frames[i]
		excluded := c.isExcluded(f.Event)
		switch {
		case f.ID.IsZero():
		case excluded:
			s.position = f.ID
		default:
			s.stand(f.ID) // before headFor, which writes the cursor
		}
		if excluded || bodies[i] == nil {
			continue
		}
		var head []byte
		if !alone {
			head = c.headFor(f)
		}
		if !c.hand(head, bodies[i]) {
			break
		}
		events++
		bytes += len(bodies[i])
	}
	return events, bytes
}

// hand hands a frame over and closes a client that is too far behind; c.mu is
// held. It reports whether the frame was taken.
func (c *Conn) hand(head, body []byte) bool {
	if !c.sink.Send(head, body) {
		c.close(event.ReasonSlow, slowText)
		return false
	}
	return true
}
