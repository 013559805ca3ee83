package hub

import (
	"maps"
	"slices"
	"time"

	"relay/event"
)

// An audit compares the position of a topic with where the bus says that the
// channel stands. It finds what nothing else would: an event that was lost on
// the way and has no successor to show it. And it keeps the position of a quiet
// channel from being forgotten, as long as somebody here is subscribed.

// audits are a worker's topics in the order in which they are audited, round
// and round, each once in AuditEvery. It is a list because whoever leaves must
// not change the order of the others: one that changed places with another that
// has had its turn would wait for two rounds. Owned by the worker.
type audits struct {
	turn  *topic // whose it was last; nil: there is none
	count int
	owed  time.Duration // of AuditEvery, times the number of topics
}

// neighbours is a topic's place in its worker's audits.
type neighbours struct{ before, after *topic }

// add lets a topic in behind all others: right before whose turn it was last.
func (a *audits) add(t *topic) {
	a.count++
	if a.turn == nil {
		a.turn = t
		t.audits = neighbours{t, t}
		return
	}
	t.audits = neighbours{a.turn, a.turn.audits.after}
	t.audits.before.audits.after, t.audits.after.audits.before = t, t
	a.turn = t
}

func (a *audits) remove(t *topic) {
	a.count--
	before, after := t.audits.before, t.audits.after
	before.audits.after, after.audits.before = after, before
	switch {
	case a.count == 0:
		a.turn = nil
	case a.turn == t:
		a.turn = before
	}
	t.audits = neighbours{}
}

// due returns whose turn it is after elapsed time.
func (a *audits) due(elapsed, every time.Duration) (list []*topic) {
	for a.owed += elapsed * time.Duration(a.count); a.owed >= every; a.owed -= every {
		if len(list) == a.count {
			a.owed = 0 // the clock made a leap
			break
		}
		a.turn = a.turn.audits.after
		list = append(list, a.turn)
	}
	return list
}

// auditBatch is how many positions one question to the bus is about.
const auditBatch = 256

// audit asks the bus about the topics that are due.
func (w *worker) audit() {
	stand := make(map[string]event.Position)
	for _, t := range w.audits.due(tidyEvery, w.hub.options.AuditEvery) {
		switch {
		case t.state != topicLive || t.control != nil:
		case t.ahead > t.last.Offset:
			t.align() // somebody was told what has not been heard yet
		default:
			stand[t.name] = t.last
		}
		if len(stand) == auditBatch {
			w.hub.compare(w, stand)
			stand = make(map[string]event.Position)
		}
	}
	if len(stand) > 0 {
		w.hub.compare(w, stand)
	}
}

// compare asks the bus where a worker's channels stand and posts those to it
// that stand elsewhere. It does not block.
func (h *Hub) compare(w *worker, stand map[string]event.Position) {
	channels := slices.Collect(maps.Keys(stand))
	h.reads.do(func() {
		if h.ctx.Err() != nil {
			return
		}
		for channel, head := range h.bus.Heads(h.ctx, channels) {
			if head != stand[channel] {
				w.post(task{kind: taskAudited, channel: channel, position: stand[channel], head: head})
			}
		}
	})
}

// audited takes the answer. Ours may be older than what has come since; only
// a position that stands still and is not the head's shows a loss.
func (t *topic) audited(asked, head event.Position) {
	if t.state == topicLive && t.control == nil && head != t.last && asked == t.last {
		t.align()
	}
}
