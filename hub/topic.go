package hub

import (
	"slices"
	"time"

	"relay/bus"
	"relay/event"
)

// topic is a channel that some client of this relay wants. All of it is owned
// by its worker's goroutine.
//
// The bus confirms that it listens; only then is history asked where the
// channel stands (or, after a lost connection, what was missed), and only
// when that answer is applied is the topic live. In between, what the bus
// delivers is held. So there is no moment at which an event could fall
// between history and live, and none that could be told twice.
type topic struct {
	worker *worker
	name   string
	state  topicState
	// control is set for one of the relay's own channels: events go there
	// and not to clients, and no history is kept of them.
	control func(*event.Event)

	// last is the position of the last event applied; known once history has
	// been asked for the first time.
	last  event.Position
	known bool
	// created is where this topic's own question began a new history, since
	// nobody knew the channel's position; else zero. A cursor from before it
	// that does not fit is from a history that was forgotten.
	created event.Position
	// ahead is the highest number that a subscription had been told when it
	// became live. History may have shown it what this topic has not heard.
	ahead  uint64
	recent recentTags

	// pending are applied and will be handed over before the round is over.
	pending      []step
	pendingBytes int

	subs    subscriptions // live
	waiting subscriptions // joining
	replays replays       // told the past before they are live
	idle    time.Time     // since when nobody wants it
	audits  neighbours

	// While aligning.
	attempt   int // number of the read of history under way; other answers do not count
	failures  int // in a row
	held      []bus.Delivery
	heldBytes int
	covered   int  // how many of held came before the read under way was begun
	overtook  bool // history brought events past those in held
	lossy     bool // something did not fit into held: read once more
}

type topicState uint8

const (
	topicOpening  topicState = iota // the bus has not confirmed yet
	topicAligning                   // history is being read
	topicLive
	topicClosed
)

// maxHeldBytes bounds what one topic holds while history is read. Events
// beyond it are read from history afterwards.
const maxHeldBytes = 1 << 20

// join adds a subscription, at once if the topic is live.
func (t *topic) join(s *subscription) {
	delete(t.worker.idle, t)
	if t.state == topicLive {
		t.enter(s)
		return
	}
	s.deadline = time.Now().Add(t.worker.hub.options.JoinTimeout)
	t.waiting.add(s)
	t.worker.joining[t] = true
}

// admit puts a subscription among the live ones, if it is still wanted.
func (t *topic) admit(s *subscription, wanted bool) {
	if wanted {
		t.subs.add(s)
		return
	}
	t.checkIdle()
}

// leave removes a subscription that has ended.
func (t *topic) leave(s *subscription) {
	if s.in == &t.subs || s.in == &t.waiting || s.in == &t.replays.subs {
		s.in.remove(s)
	}
	t.checkIdle()
}

func (t *topic) checkIdle() {
	if t.waiting.empty() && t.replays.subs.empty() {
		delete(t.worker.joining, t)
	}
	if t.subs.empty() && t.waiting.empty() && t.replays.subs.empty() && t.control == nil && t.state != topicClosed {
		t.idle = time.Now()
		t.worker.idle[t] = true
	}
}

// expireJoins refuses the subscriptions that have waited too long.
func (t *topic) expireJoins(now time.Time) {
	for _, s := range append(slices.Clone(t.waiting.list), t.replays.subs.list...) {
		if !s.told && now.After(s.deadline) {
			s.conn.fail(s, "the event bus did not confirm the channel in time; try again later")
		}
	}
}

// refused ends a topic whose channel the bus refuses. A channel of the
// relay's own is asked for again: without it the relay is deaf to the others.
func (t *topic) refused() {
	t.worker.close(t)
	for _, s := range slices.Concat(t.waiting.takeAll(), t.replays.subs.takeAll(), t.subs.takeAll()) {
		s.conn.fail(s, "the event bus refuses this channel; its operator finds the reason in the relay's log")
	}
	if t.control != nil {
		t.worker.hub.after(controlRetry, t.worker, task{kind: taskControl, channel: t.name, control: t.control})
	}
}

// controlRetry is the pause before a channel of the relay's own is asked for again.
const controlRetry = 5 * time.Second

// listening: from now on everything that is published is heard. What was
// published before this moment is found in history.
func (t *topic) listening() {
	if t.control != nil {
		t.state = topicLive
		return
	}
	t.held, t.heldBytes = nil, 0
	t.failures = 0
	t.align()
}

// mend reads history because something heard was lost on the way.
func (t *topic) mend() {
	switch t.state {
	case topicLive:
		if t.control == nil {
			t.align()
		}
	case topicAligning:
		t.lossy = true
	}
}

// align begins to read history from the last position on.
func (t *topic) align() {
	t.state = topicAligning
	t.attempt = t.worker.nextAttempt()
	t.covered = len(t.held)
	t.lossy = false
	from := bus.FromNow()
	if t.known {
		from = bus.FromPosition(t.last)
	}
	t.worker.hub.read(task{kind: taskAligned, channel: t.name, attempt: t.attempt}, from, resumePage)
}

// realign tries again after a failure, unless another attempt has begun.
func (t *topic) realign(attempt int) {
	if t.state == topicAligning && attempt == t.attempt {
		t.align()
	}
}

// aligned takes the answer from history.
func (t *topic) aligned(attempt int, page *bus.Page, err error) {
	if t.state != topicAligning || attempt != t.attempt {
		return
	}
	if err != nil {
		t.failures++
		again := task{kind: taskRealign, channel: t.name, attempt: t.attempt}
		t.worker.hub.after(backoff(t.failures), t.worker, again)
		return
	}
	t.failures = 0
	t.apply(page)
	t.flush()
	if page.More {
		t.align()
		return
	}
	t.state = topicLive
	for _, s := range t.waiting.takeAll() {
		t.enter(s)
	}
	t.checkIdle()
	t.callBack()
	t.release()
	t.pump()
}

// callBack lets history judge those whom it has shown more than this topic
// knows, now that the topic knows all of it: they may have been shown what was
// lost since.
func (t *topic) callBack() {
	if t.ahead <= t.last.Offset {
		return
	}
	t.ahead = 0
	var strayed []*subscription
	for _, s := range t.subs.list {
		if s.conn.isAhead(s, t.last) {
			strayed = append(strayed, s)
		}
	}
	t.replayAgain(strayed)
}

// apply brings the topic to where a page ends.
func (t *topic) apply(page *bus.Page) {
	metrics := t.worker.hub.options.Metrics
	switch {
	case !t.known:
		t.stand(page)
		t.known, t.overtook = true, true
		metrics.Aligned(event.ResumeFresh)
	case page.Reset != "":
		t.reset(page)
		metrics.Aligned(event.Outcome(page.Reset))
	default:
		for _, d := range page.Events {
			t.advance(d)
		}
		t.overtook = t.overtook || len(page.Events) > 0
		metrics.Aligned(event.ResumeRecovered)
	}
}

// stand lets the topic go on from where a page says that the channel stands.
func (t *topic) stand(page *bus.Page) {
	t.last, t.created = page.Head, event.Position{}
	if page.Created {
		t.created = page.Head
	}
}

// reset goes on at the head of a history that the last position is not part of.
func (t *topic) reset(page *bus.Page) {
	t.worker.hub.options.Log.Warn("events were lost: clients are told to refetch",
		"channel", t.name, "cause", page.Reset, "last", t.last.String(), "head", page.Head.String())
	t.flush()
	before := t.last
	t.stand(page)
	t.overtook = true
	t.recent = recentTags{}
	f := t.resetFrame(page.Head, page.Reset)
	var strayed []*subscription
	for _, s := range t.subs.list {
		if !s.conn.reset(s, before, f) {
			// A replay has brought it further than this topic was: whether it
			// has lost anything is for history to say.
			strayed = append(strayed, s)
		}
	}
	t.replays.rejudge()
	t.replayAgain(strayed)
}

func (t *topic) resetFrame(at event.Position, cause event.ResetCause) *Frame {
	return &Frame{Type: FrameReset, Channel: t.name, ID: at, Reason: string(cause)}
}

// release delivers what was held while history was read.
func (t *topic) release() {
	held, covered, lossy, overtook := t.held, t.covered, t.lossy, t.overtook
	t.held, t.heldBytes, t.covered, t.overtook = nil, 0, 0, false
	for i, d := range held {
		switch {
		case t.state != topicLive:
			// A held event showed a hole, and the read that mends it began
			// just now: all of the rest were heard before it.
			t.hold(d)
			t.covered, t.overtook = len(t.held), overtook
		case d.Event.ID.IsZero() && overtook:
			// Its place may have been before events that history has just
			// brought. It may be lost, but not come out of order.
			t.worker.hub.options.Metrics.Dropped(event.DropUnaligned)
		case bus.Follows(d, t.last):
			overtook = false // from here on we are past what history brought
			t.hear(d)
		case d.Event.ID == t.last:
			overtook = false // what follows was heard after the last that history brought
		case i >= covered || d.Event.ID.IsZero():
			t.hear(d)
		default:
			// The read began after this one was heard, so whatever it was,
			// the answer has taken it into account.
		}
	}
	if lossy {
		t.mend()
	}
}

// hear takes an event from the bus.
func (t *topic) hear(d bus.Delivery) {
	switch {
	case t.control != nil:
		t.control(d.Event)
	case t.state == topicAligning:
		t.hold(d)
	case t.state != topicLive:
		// Not confirmed yet: whoever waits has not been told that it hears.
	case d.Event.ID.IsZero():
		t.fanOut(t.last, d.Event)
	case bus.Follows(d, t.last):
		t.advance(d)
	case d.Event.ID == t.last || t.recent.has(d.Event.ID):
		t.worker.hub.options.Metrics.Dropped(event.DropDuplicate)
	default:
		// A hole, or another history: only the authority can tell. The event
		// itself is not needed, history has it.
		t.align()
	}
}

// hold keeps an event until history has been read.
func (t *topic) hold(d bus.Delivery) {
	size := deliverySize(d)
	if t.heldBytes+size > maxHeldBytes {
		t.lossy = true
		if d.Event.ID.IsZero() {
			t.worker.hub.options.Metrics.Dropped(event.DropUnaligned)
		}
		return
	}
	t.held = append(t.held, d)
	t.heldBytes += size
}

// advance applies the next event.
func (t *topic) advance(d bus.Delivery) {
	stood := t.last
	t.last = d.Event.ID
	t.recent.add(t.last)
	t.replays.record(d)
	t.fanOut(stood, d.Event)
}

// fanOut has an event handed to every live subscription that stands where the
// topic stood, together with those that follow it in this round of the worker.
func (t *topic) fanOut(stood event.Position, e *event.Event) {
	t.pending = append(t.pending, step{stood, e})
	if t.pendingBytes += len(e.Data) + deliveryOverhead; t.pendingBytes > maxBurstBytes {
		t.flush()
	} else if len(t.pending) == 1 {
		t.worker.dirty = append(t.worker.dirty, t)
	}
}

// flush hands over what is pending. Whatever looks at subscriptions or at
// their positions comes after it.
func (t *topic) flush() {
	if len(t.pending) == 0 {
		return
	}
	b := &t.worker.burst
	b.set(t.name, t.pending)
	clear(t.pending)
	t.pending, t.pendingBytes = t.pending[:0], 0
	if cap(t.pending) > maxSparePending {
		t.pending = nil
	}
	events, bytes := 0, 0
	var strayed []*subscription
	for _, s := range t.subs.list {
		n, size, here := s.conn.deliver(s, b)
		events += n
		bytes += size
		if !here {
			strayed = append(strayed, s)
		}
	}
	if events > 0 {
		t.worker.hub.options.Metrics.Delivered(events, bytes)
		b.observe(t.worker.hub.options.Metrics)
	}
	b.reset()
	t.replayAgain(strayed)
}

// maxSparePending is how much room for pending events a topic keeps: an idle
// one shall cost nothing, and a busy one not allocate for each event.
const maxSparePending = 8
