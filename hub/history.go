package hub

import (
	"errors"
	"time"

	"relay/bus"
	"relay/retry"
)

// resumePage is how many events one read of history asks for, and maxReads
// how many reads are under way at once: together they bound what history
// takes in memory, 64 × 64 events.
const (
	resumePage = 64
	maxReads   = 64
)

var errStopped = errors.New("the hub has stopped")

// read reads history of a channel and posts the answer to its worker: t, with
// the page or the error in it. It does not block.
func (h *Hub) read(t task, from bus.From, limit int) {
	h.reads.do(func() {
		t.err = errStopped
		if h.ctx.Err() == nil {
			var page bus.Page
			page, t.err = h.bus.Resume(h.ctx, t.channel, from, limit)
			t.page = &page
		}
		h.workerOf(t.channel).post(t)
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

// backoff is the pause after a number of failures in a row.
func backoff(failures int) time.Duration {
	return retry.Pause(failures, 100*time.Millisecond, 5*time.Second)
}
