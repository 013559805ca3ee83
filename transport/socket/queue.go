package socket

import (
	"sync/atomic"
	"time"
)

// A client is too slow when more than the limit has waited for it for longer
// than grace and has not become less by a quarter in that time, or when more
// than burst times the limit waits at all. A queue is over its limit for a
// while whenever a large request or a read of history comes in faster than any
// socket takes it; that says nothing about the client, and it costs little,
// because the waiting bodies are shared by all clients.
const (
	grace = 5 * time.Second
	burst = 64
)

// gatherBytes is how much of a queue goes into one write.
const gatherBytes = 64 << 10

// frame is one frame's bytes: the client's own head, which may be nil, then
// the body, which it shares with others.
type frame struct{ head, body []byte }

func (f frame) size() int { return len(f.head) + len(f.body) }

// queue is what waits for one client. Guarded by the socket's lock.
type queue struct {
	limit int
	judge func()        // called when grace is over
	total *atomic.Int64 // of the bytes in all queues of a loop

	frames  []frame
	opening bool // nothing has left yet: the first frame is the answer to the client's request
	sent    int  // of the first frame
	flying  int  // of what follows: in a write under way, which has its own copy
	bytes   int
	over    *time.Timer // runs while bytes is over the limit
	set     time.Time   // when it was set
	before  int         // bytes at that time, or the most since while it is rising
	rising  bool        // it has not been judged yet: all of a burst may not have come
}

func newQueue(limit int, judge func(), total *atomic.Int64) *queue {
	return &queue{limit: limit, judge: judge, total: total}
}

// grow notes that n bytes more wait, or less if it is negative.
func (q *queue) grow(n int) {
	q.bytes += n
	q.total.Add(int64(n))
}

// abandon ends a queue whose client is gone.
func (q *queue) abandon() {
	q.calm()
	q.grow(-q.bytes)
}

func (q *queue) empty() bool { return len(q.frames) == 0 }

// fits reports whether the client is not too far behind for another frame.
func (q *queue) fits(f frame) bool { return q.bytes+f.size() <= q.limit*burst }

func (q *queue) add(f frame) {
	q.grow(f.size())
	if q.bytes > q.limit && q.over == nil {
		q.before, q.set, q.rising = q.bytes, time.Now(), true
		q.over = time.AfterFunc(grace, q.judge)
	} else if q.rising {
		q.before = max(q.before, q.bytes)
	}
	q.frames = append(q.frames, f)
}

// tooSlow judges the client when grace is over.
func (q *queue) tooSlow() bool {
	if q.over == nil || time.Since(q.set) < grace {
		return false // it has caught up, perhaps only while the judge came
	}
	if q.bytes > q.before-q.before/4 {
		return true
	}
	q.before, q.set, q.rising = q.bytes, time.Now(), false
	q.over.Reset(grace)
	return false
}

// gather appends the front of the queue to b, which is empty: most bytes, or
// all if they are fewer.
func (q *queue) gather(b []byte, most int) []byte {
	skip := q.sent
	for _, f := range q.frames {
		for _, part := range [2][]byte{f.head, f.body} {
			n := min(skip, len(part))
			b = append(b, part[n:min(len(part), n+most-len(b))]...)
			skip -= n
			if len(b) >= most {
				return b
			}
		}
	}
	return b
}

// drop removes the first n bytes: they have left.
func (q *queue) drop(n int) {
	q.grow(-n)
	q.opening = q.opening && n == 0
	n += q.sent
	i := 0
	for i < len(q.frames) && n >= q.frames[i].size() {
		n -= q.frames[i].size()
		q.frames[i] = frame{}
		i++
	}
	q.frames, q.sent = q.frames[i:], n
	if q.bytes <= q.limit {
		q.calm()
	}
}

// giveUp forgets what nobody has seen a part of. The answer to the client's
// request stays: without it nothing that follows can be read.
func (q *queue) giveUp() {
	seen, kept := q.sent+q.flying, 0
	if q.opening {
		seen = max(seen, 1)
	}
	for kept < len(q.frames) && seen > 0 {
		seen -= q.frames[kept].size()
		kept++
	}
	clear(q.frames[kept:])
	q.frames = q.frames[:kept]
	left := -q.sent
	for _, f := range q.frames {
		left += f.size()
	}
	q.grow(left - q.bytes)
	if q.bytes <= q.limit {
		q.calm()
	}
}

// calm stops the clock of a client that is no longer behind.
func (q *queue) calm() {
	if q.over != nil {
		q.over.Stop()
		q.over = nil
	}
}
