package hub

import (
	"errors"
	"math/rand/v2"
	"time"

	"relay/bus"
	"relay/event"
)

// resumePage is how many events one read of history asks for, and maxReads
// how many reads are under way at once: together they bound what history
// takes in memory, 64 × 64 events.
const (
	resumePage = 64
	maxReads   = 64
)

var errStopped = errors.New("the hub has stopped")

// read reads history for a topic and posts the answer to its worker. It does
// not block.
func (h *Hub) read(channel string, attempt int, from bus.From) {
	h.reads.do(func() {
		answer := task{kind: taskAligned, channel: channel, attempt: attempt, err: errStopped}
		if h.ctx.Err() == nil {
			var page bus.Page
			page, answer.err = h.bus.Resume(h.ctx, channel, from, resumePage)
			answer.page = &page
		}
		h.workerOf(channel).post(answer)
	})
}

// readReplay reads history for the replays of a topic.
func (h *Hub) readReplay(channel string, attempt int, from bus.From, limit int) {
	h.reads.do(func() {
		answer := task{kind: taskReplayed, channel: channel, attempt: attempt, from: from, err: errStopped}
		if h.ctx.Err() == nil {
			var page bus.Page
			page, answer.err = h.bus.Resume(h.ctx, channel, from, limit)
			answer.page = &page
		}
		h.workerOf(channel).post(answer)
	})
}

// audit asks where a channel stands, as seen from a position, and posts the
// answer to its worker.
func (h *Hub) audit(channel string, at event.Position) {
	h.reads.do(func() {
		answer := task{kind: taskAudited, channel: channel, position: at, err: errStopped}
		if h.ctx.Err() == nil {
			var page bus.Page
			page, answer.err = h.bus.Resume(h.ctx, channel, bus.FromPosition(at), 0)
			answer.page = &page
		}
		h.workerOf(channel).post(answer)
	})
}

// after posts a task later, unless the hub has stopped by then.
func (h *Hub) after(d time.Duration, w *worker, t task) {
	time.AfterFunc(d, func() {
		if h.ctx.Err() == nil {
			w.post(t)
		}
	})
}

// backoff is the pause after a number of failures in a row: doubling up to
// five seconds, with jitter, since what fails for one channel fails for all.
func backoff(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures, 10), 5*time.Second)
	return d/2 + rand.N(d/2)
}
