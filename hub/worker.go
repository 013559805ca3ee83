package hub

import (
	"sync"
	"time"

	"relay/bus"
	"relay/event"
)

// maxInboxBytes bounds the events that wait for one worker. Beyond it events
// are dropped and their channels heal from history: memory stays bounded, and
// the goroutine that reads from Redis never waits.
const maxInboxBytes = 64 << 20

// deliveryOverhead is what a waiting event costs besides its data, about.
const deliveryOverhead = 256

// worker owns topics: all that happens to them happens on its goroutine.
type worker struct {
	hub *Hub

	mu         sync.Mutex
	inbox      []task
	bytes      int             // of the events in inbox and in the round under way
	overflowed map[string]bool // channels of which an event was dropped since the last round
	stopped    bool
	wake       chan struct{} // holds one token while inbox has something

	// Owned by run.
	topics   map[string]*topic
	joining  map[*topic]bool // topics with subscriptions that wait to join
	idle     map[*topic]bool // topics without subscriptions
	audits   audits
	dirty    []*topic // with events pending
	burst    burst
	spare    []task // the inbox before this one, to be used again
	attempts int    // reads of history begun
}

// task is something for a worker to do. Which fields count depends on kind.
type task struct {
	kind     taskKind
	channel  string
	sub      *subscription
	delivery bus.Delivery
	page     *bus.Page
	attempt  int
	position event.Position
	head     event.Position
	err      error // instead of page
	control  func(*event.Event)
	count    chan<- int
}

type taskKind uint8

const (
	taskDeliver taskKind = iota
	taskJoin
	taskLeave
	taskListening
	taskRefused  // the bus refuses the channel
	taskAligned  // history was read for a topic
	taskRealign  // try to read history again
	taskAudited  // a topic's position was compared with the bus's
	taskReplayed // history was read for those that replay
	taskPump     // go on with the replays
	taskDrained  // a client that replays has room again
	taskControl  // make channel one of the relay's own
	taskCount    // answer how many live subscriptions a channel has
)

func newWorker(h *Hub) *worker {
	return &worker{
		hub:        h,
		overflowed: make(map[string]bool),
		wake:       make(chan struct{}, 1),
		topics:     make(map[string]*topic),
		joining:    make(map[*topic]bool),
		idle:       make(map[*topic]bool),
	}
}

// post puts a task into the inbox. It never blocks.
func (w *worker) post(t task) {
	w.mu.Lock()
	w.inbox = append(w.inbox, t)
	w.mu.Unlock()
	w.rouse()
}

// deliver puts an event into the inbox, if there is room.
func (w *worker) deliver(d bus.Delivery) {
	size := deliverySize(d)
	w.mu.Lock()
	full := w.bytes+size > maxInboxBytes
	if full {
		w.overflowed[d.Event.Channel] = true
	} else {
		w.bytes += size
		w.inbox = append(w.inbox, task{kind: taskDeliver, channel: d.Event.Channel, delivery: d})
	}
	w.mu.Unlock()
	if full {
		w.hub.options.Metrics.Dropped(event.DropOverflow)
	}
	w.rouse()
}

func deliverySize(d bus.Delivery) int { return len(d.Event.Data) + deliveryOverhead }

func (w *worker) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop ends run after what is in the inbox.
func (w *worker) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.rouse()
}

// run is the worker's goroutine.
func (w *worker) run() {
	housekeeping := time.NewTicker(tidyEvery)
	defer housekeeping.Stop()
	for {
		select {
		case <-w.wake:
		case now := <-housekeeping.C:
			w.tidy(now)
			continue
		}
		tasks, overflowed, stopped := w.takeAll()
		for i := range tasks {
			w.do(&tasks[i])
		}
		w.flush()
		for channel := range overflowed {
			if t := w.topics[channel]; t != nil {
				t.mend()
			}
		}
		w.finish(tasks)
		if stopped {
			return
		}
	}
}

// takeAll empties the inbox, leaving the last round's array in its place.
func (w *worker) takeAll() (tasks []task, overflowed map[string]bool, stopped bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tasks, w.inbox = w.inbox, w.spare
	w.spare = nil
	if len(w.overflowed) > 0 {
		overflowed, w.overflowed = w.overflowed, make(map[string]bool)
	}
	return tasks, overflowed, w.stopped
}

// finish lets go of a round: its events no longer count, and its array is
// used again unless a burst made it large.
func (w *worker) finish(tasks []task) {
	bytes := 0
	for i := range tasks {
		if tasks[i].kind == taskDeliver {
			bytes += deliverySize(tasks[i].delivery)
		}
	}
	clear(tasks)
	if cap(tasks) <= maxSpareTasks {
		w.spare = tasks[:0]
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes -= bytes
}

// maxSpareTasks is the largest inbox that is kept for the next round.
const maxSpareTasks = 4096

func (w *worker) do(t *task) {
	tp := w.topics[t.channel]
	if tp == nil {
		switch t.kind {
		case taskJoin, taskControl:
			tp = w.open(t.channel)
		case taskCount:
			t.count <- 0
			return
		default:
			// A late word about a channel nobody here wants any more.
			return
		}
	}
	if t.kind != taskDeliver {
		tp.flush()
	}
	switch t.kind {
	case taskDeliver:
		tp.hear(t.delivery)
	case taskJoin:
		tp.join(t.sub)
	case taskLeave:
		tp.leave(t.sub)
	case taskListening:
		tp.listening()
	case taskRefused:
		tp.refused()
	case taskAligned:
		tp.aligned(t.attempt, t.page, t.err)
	case taskRealign:
		tp.realign(t.attempt)
	case taskReplayed:
		tp.replayed(t.attempt, t.page, t.err)
	case taskPump:
		tp.unpause()
	case taskDrained:
		tp.drained(t.sub)
	case taskAudited:
		tp.audited(t.position, t.head)
	case taskControl:
		tp.control = t.control
		delete(w.idle, tp)
	case taskCount:
		t.count <- len(tp.subs.list)
	}
}

// flush ends a round: what its events have left pending is handed over.
func (w *worker) flush() {
	for i, t := range w.dirty {
		t.flush()
		w.dirty[i] = nil
	}
	w.dirty = w.dirty[:0]
}

// open makes a topic and asks the bus for its channel.
func (w *worker) open(channel string) *topic {
	t := &topic{worker: w, name: channel, idle: time.Now()}
	w.topics[channel] = t
	w.audits.add(t)
	w.idle[t] = true
	w.hub.options.Metrics.Channels(1)
	w.hub.bus.Listen(channel)
	return t
}

// nextAttempt numbers the reads of history of all topics, so that a late
// answer to a topic that was closed is not taken for one to its successor.
func (w *worker) nextAttempt() int {
	w.attempts++
	return w.attempts
}

// close forgets a topic. What comes later for its channel finds no topic, or
// the next one, which does not know this one's subscriptions.
func (w *worker) close(t *topic) {
	t.state = topicClosed
	delete(w.topics, t.name)
	w.audits.remove(t)
	delete(w.joining, t)
	delete(w.idle, t)
	w.hub.options.Metrics.Channels(-1)
}

// tidyEvery is the pause between two rounds of housekeeping.
const tidyEvery = time.Second

// tidy ends joins that waited too long and channels that nobody wants any more.
func (w *worker) tidy(now time.Time) {
	for t := range w.joining {
		t.expireJoins(now)
	}
	w.audit()
	for t := range w.idle {
		if now.Sub(t.idle) >= w.hub.options.Linger {
			w.hub.bus.Unlisten(t.name)
			w.close(t)
		}
	}
}
