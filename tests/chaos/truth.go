package chaos

import (
	"slices"
	"sync"
	"time"
)

// truth is what the publishers were told and what was done to the store.
type truth struct {
	historySize int

	mu       sync.Mutex
	channels map[string]*channelTruth
	losses   []loss
	refusals int // answers of 503, and requests without an answer
}

// channelTruth is what publishers know of one channel.
type channelTruth struct {
	numbers int              // events made: 1, 2, 3 …
	acked   map[position]int // id to number
	newest  position         // acknowledged last
	end     position         // of the last event of all
}

// loss is a span of time in which the store lost what it held of a channel, or
// of all of them.
type loss struct {
	channel  string // empty: all
	from, to time.Time
}

func newTruth() *truth { return &truth{channels: make(map[string]*channelTruth)} }

func (t *truth) of(channel string) *channelTruth {
	c, ok := t.channels[channel]
	if !ok {
		c = &channelTruth{acked: make(map[position]int)}
		t.channels[channel] = c
	}
	return c
}

// next numbers a new event.
func (t *truth) next(channel string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channel)
	c.numbers++
	return c.numbers
}

// ack notes that an event was acknowledged under an id.
func (t *truth) ack(channel string, id position, number int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channel)
	c.acked[id], c.newest = number, id
}

func (t *truth) refused() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusals++
}

// end notes that the channel's newest event is its last.
func (t *truth) end(channel string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channel)
	c.end = c.newest
}

func (t *truth) endOf(channel string) position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(channel).end
}

// lost notes that the store lost data of a channel, or of all of them if it is
// empty, at some moment since from.
func (t *truth) lost(channel string, from time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.losses = append(t.losses, loss{channel, from, time.Now()})
}

// clockSlack covers that an id has milliseconds, cut off.
const clockSlack = 5 * time.Millisecond

// lostBetween reports whether the store lost data of a channel after an id was
// given and before a moment.
func (t *truth) lostBetween(channel string, ms int64, until time.Time) bool {
	given := time.UnixMilli(ms)
	return slices.ContainsFunc(t.losses, func(l loss) bool {
		return (l.channel == "" || l.channel == channel) && !l.to.Before(given.Add(-clockSlack)) && !l.from.After(until.Add(clockSlack))
	})
}

// chain is the order of a channel's ids, as all that is known of them proves it.
type chain struct {
	previous, following map[position]position
	// ids in the order of the store's clock, and for each the number of the
	// history it belongs to: a new one begins where the offsets step back.
	ids       []position
	histories map[position]int
}

// newChain orders ids. It relies on the clock of the store, which does not
// step back in a run.
func newChain(ids map[position]struct{}) *chain {
	c := &chain{previous: make(map[position]position), following: make(map[position]position), histories: make(map[position]int, len(ids))}
	for id := range ids {
		c.ids = append(c.ids, id)
	}
	slices.SortFunc(c.ids, before)
	// The newest id at each offset of the history that is being walked.
	var newest []position
	history := 0
	for _, id := range c.ids {
		if id.offset < uint64(len(newest)) {
			history++
			newest = newest[:id.offset]
		}
		for uint64(len(newest)) < id.offset {
			newest = append(newest, position{}) // nobody knows this one
		}
		if id.offset > 0 && newest[id.offset-1] != (position{}) {
			c.previous[id] = newest[id.offset-1]
			c.following[newest[id.offset-1]] = id
		}
		newest = append(newest, id)
		c.histories[id] = history
	}
	return c
}

// headAt is the highest offset that a position's history had reached at a moment.
func (c *chain) headAt(p position, moment time.Time) uint64 {
	history, known := c.histories[p]
	if !known {
		return 0
	}
	last := p.offset
	from, _ := slices.BinarySearchFunc(c.ids, p, before)
	for _, id := range c.ids[from:] {
		if c.histories[id] != history || id.ms > moment.Add(clockSlack).UnixMilli() {
			break
		}
		last = id.offset
	}
	return last
}
