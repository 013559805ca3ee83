package hub

import (
	"slices"
	"time"

	"relay/bus"
	"relay/event"
)

// A subscription that goes on from a position replays: it is told the events
// since then from history, page by page and no faster than its client reads,
// until it has caught up with its topic and becomes live.
//
// Many replay at once after a relay left. They share: one page is read from
// where one of them stands, encoded once, and told to each that stands in it
// from its own position on; then the next. What the topic applies while a
// page is read is kept (the tail) and closes the gap behind the last page, so
// that even under a flood a replay comes to its end.

// maxTailBytes bounds the tail. Beyond it the replays read once more.
const maxTailBytes = 1 << 20

// replays are a topic's subscriptions that catch up. Owned by its worker.
type replays struct {
	subs subscriptions
	// reading is the number of the read of history under way; 0: none.
	reading  int
	began    event.Position // where the topic stood when it began
	failures int            // in a row
	paused   bool           // after a failure
	// A sweep of reads: where the last one began, and where it ends.
	swept, end uint64

	tail      []bus.Delivery
	tailBytes int
	tailLost  bool // something did not fit, or the history was reset
}

// enter lets a subscription in, where its since says.
func (t *topic) enter(s *subscription) {
	t.flush()
	switch {
	case s.since.kind == sinceNow:
		t.admit(s, s.conn.begin(s, t.last, nil, ""))
	case s.since.kind == sinceBroken:
		t.admit(s, s.conn.begin(s, t.last, new(bool), event.ResetUnknown))
	case s.since.kind == sincePosition && s.since.at == t.last:
		recovered := true
		t.admit(s, s.conn.begin(s, t.last, &recovered, ""))
	default:
		s.at = s.since.at
		s.deadline = time.Now().Add(t.worker.hub.options.JoinTimeout)
		t.replays.subs.add(s)
		t.worker.joining[t] = true
		t.pump()
	}
}

// pump begins the next read for those that replay and whose clients have room.
func (t *topic) pump() {
	r := &t.replays
	if r.reading != 0 || r.paused || t.state != topicLive {
		return
	}
	from, found := r.next(t.last.Offset)
	if !found {
		return
	}
	r.reading, r.began = t.worker.nextAttempt(), t.last
	r.tail, r.tailBytes, r.tailLost = nil, 0, false
	limit := smallestPage
	for _, s := range r.subs.list {
		s.read = 0
		if !s.stalled {
			s.read = r.reading
			limit = max(limit, min(s.appetite(), resumePage))
		}
	}
	t.worker.hub.read(task{kind: taskReplayed, channel: t.name, attempt: r.reading}, from, limit)
}

// unpause tries again after a failure. Until then nobody else does: each that
// came while history cannot be read would begin a round of failures of its own.
func (t *topic) unpause() {
	t.replays.paused = false
	t.pump()
}

// smallestPage is what is read for clients that have room for little.
const smallestPage = 4

// appetite is how many events a subscription may take of the next page: of a
// full page that a slow client takes three events from, most is read in vain.
func (s *subscription) appetite() int {
	if s.short == 0 {
		return resumePage
	}
	return 2 * s.short
}

// next is where the next page begins. The reads sweep upwards through history,
// again and again: from the earliest position to where the topic stood when
// the sweep began. Were each read at the earliest position of its moment,
// those who keep coming from far behind would keep all others waiting.
func (r *replays) next(head uint64) (from bus.From, found bool) {
	var first, onward *subscription
	for _, s := range r.subs.list {
		if s.stalled {
			continue
		}
		if first == nil || s.comesBefore(first) {
			first = s
		}
		if !s.from().Start() && s.at.Offset > r.swept && s.at.Offset <= r.end && (onward == nil || s.comesBefore(onward)) {
			onward = s
		}
	}
	switch {
	case first == nil:
		return bus.From{}, false
	case onward == nil:
		onward, r.end = first, head
	}
	r.swept = onward.at.Offset
	return onward.from(), true
}

// comesBefore: who wants all of history stands at its start, where no other does.
func (s *subscription) comesBefore(other *subscription) bool {
	if s.from().Start() || other.from().Start() {
		return !other.from().Start()
	}
	return s.at.Offset < other.at.Offset
}

// from is where a subscription goes on: at the start until it has been told
// where that is.
func (s *subscription) from() bus.From {
	if s.since.kind == sinceStart && !s.told {
		return bus.FromStart()
	}
	return bus.FromPosition(s.at)
}

// record keeps what the topic applies while a page is read.
func (r *replays) record(d bus.Delivery) {
	if r.reading == 0 || r.tailLost {
		return
	}
	if r.tailBytes += deliverySize(d); r.tailBytes > maxTailBytes {
		r.tail, r.tailLost = nil, true
		return
	}
	r.tail = append(r.tail, d)
}

// replayed takes a page from history.
func (t *topic) replayed(attempt int, read *bus.Page, err error) {
	r := &t.replays
	if attempt != r.reading {
		return
	}
	r.reading = 0
	if err != nil {
		r.failures++
		r.paused = true
		t.worker.hub.after(backoff(r.failures), t.worker, task{kind: taskPump, channel: t.name})
		return
	}
	r.failures = 0
	p := newPage(t.name, read)
	tail := newPage(t.name, &bus.Page{Events: r.tail})
	for _, s := range slices.Clone(r.subs.list) {
		if s.read == attempt && !s.stalled {
			t.replay(s, p, tail)
		}
	}
	t.checkIdle()
	if t.state == topicLive && p.Head != r.began && p.Head.Offset <= r.began.Offset {
		// History has never been where the topic was: it is another one. Until
		// the topic goes over to it, those that replay would never arrive.
		t.align()
	}
	t.pump()
}

// replay tells a subscription what a page holds for it, and makes it live if
// it has come to the end.
func (t *topic) replay(s *subscription, p *page, tail *page) {
	place := p.Place(s.from())
	switch cause := place.Reset; {
	case !place.Known:
		return // a later page will tell
	case cause != "":
		if heard := s.conn.heard(s); s.at != heard {
			s.at = heard // what is gone may be no loss to it: see subscription.heard
			return
		}
		if cause == event.ResetDiverged && !t.created.IsZero() && s.at.Time <= t.created.Time {
			cause = event.ResetUnknown
		}
		if !s.conn.restart(s, p.Head, cause) {
			return
		}
		s.told, s.at = true, p.Head
	case !s.told:
		if !s.conn.replays(s, place.At) {
			return
		}
		s.told, s.at = true, place.At
	}
	if s.at != p.Head && (!t.tell(s, p) || p.More) || !t.tell(s, tail) {
		return
	}
	if t.replays.tailLost || s.at != t.last && s.at.Offset <= t.last.Offset {
		return // not there yet: the next read begins where it stands
	}
	t.replays.subs.remove(s)
	t.ahead = max(t.ahead, s.at.Offset)
	t.admit(s, s.conn.catchUp(s))
}

// tell hands over the events of a page that follow where the subscription
// stands. It reports whether it has had all of them.
func (t *topic) tell(s *subscription, p *page) bool {
	begin := s.at.Offset
	for i := p.after(s.at); i < len(p.Events); i++ {
		id := p.Events[i].Event.ID
		if !bus.Follows(p.Events[i], s.at) {
			return false
		}
		f, body := p.frame(i, s.conn.format)
		switch s.conn.tellPast(s, f, body) {
		case toldPast:
			s.at = id
		case noRoom:
			s.stalled = true
			s.short = int(s.at.Offset-begin) + 1
			return false
		case hasEnded:
			return false
		}
	}
	s.short = 0
	return true
}

// replayAgain lets history judge live subscriptions that do not stand where
// their topic stands.
func (t *topic) replayAgain(list []*subscription) {
	for _, s := range list {
		t.subs.remove(s)
		if at, ok := s.conn.rewind(s); ok {
			s.at, s.told = at, true
			t.replays.subs.add(s)
			t.worker.joining[t] = true
		}
	}
	if len(list) > 0 {
		t.pump()
	}
}

// drained goes on for a subscription whose client has room again.
func (t *topic) drained(s *subscription) {
	if s.in == &t.replays.subs && s.stalled {
		s.stalled = false
		t.pump()
	}
}

// rejudge lets history judge every replay anew, after the topic itself was
// found to be in another history: what it has applied says nothing about them.
func (r *replays) rejudge() {
	r.tail, r.tailLost = nil, true
	for _, s := range r.subs.list {
		s.read = 0
	}
}

// page is a part of history with its events encoded as they are asked for.
type page struct {
	*bus.Page
	frames []Frame
	bodies []encoded
}

func newPage(channel string, read *bus.Page) *page {
	p := &page{Page: read, frames: make([]Frame, len(read.Events)), bodies: make([]encoded, len(read.Events))}
	for i, d := range read.Events {
		p.frames[i] = Frame{Type: FrameEvent, Channel: channel, ID: d.Event.ID, Event: d.Event}
	}
	return p
}

// after returns the index of the first event with a higher number than at.
func (p *page) after(at event.Position) int {
	if len(p.Events) == 0 || at.Offset < p.Events[0].Event.ID.Offset {
		return 0
	}
	return int(min(at.Offset-p.Events[0].Event.ID.Offset+1, uint64(len(p.Events))))
}

func (p *page) frame(i int, format Format) (*Frame, []byte) {
	f := &p.frames[i]
	return f, p.bodies[i].of(format, f)
}

// encoded holds one frame's bytes in each format that was asked for.
type encoded []encodedAs

type encodedAs struct {
	format Format
	body   []byte
}

// of returns the frame in a format, encoding it the first time.
func (e *encoded) of(format Format, f *Frame) []byte {
	for i := range *e {
		if (*e)[i].format == format {
			return (*e)[i].body
		}
	}
	body := format.Encode(f)
	*e = append(*e, encodedAs{format, body})
	return body
}
