package chaos

import (
	"slices"
	"sync"
	"time"
)

// truth is what the publishers were told, what was done to the store, and what
// the watch found standing in it.
type truth struct {
	historySize int
	clock       clock

	mu       sync.Mutex
	channels map[string]*channelTruth
	losses   []loss
	refusals int // answers of 503, and requests without an answer
}

// channelTruth is what is known of one channel.
type channelTruth struct {
	made   []time.Time      // when the events 1, 2, 3 … were made
	acked  map[position]int // id to number
	newest position         // acknowledged last
	end    position         // of the last event of all
	// stored is what was read in the store itself.
	stored map[position]entry
	// seen is when an id was known for the first time, to anybody.
	seen map[position]time.Time
	// excluded says which connection does not get an event, by number.
	excluded map[int]string
	// deletions are the spans in which history was deleted.
	deletions []span
	// passing are the events without history: 1, 2, 3 …
	passing []passing
}

// entry is what an event's entry in history says.
type entry struct {
	number   int
	previous [6]byte // its predecessor's tag
}

// passing is an event that history does not keep.
type passing struct {
	made  time.Time
	acked time.Time // zero: never
	tries int
}

type span struct{ from, to time.Time }

// loss is a span of time in which the store lost what it held of a channel, or
// of all of them.
type loss struct {
	channel string // empty: all
	span
}

func newTruth() *truth { return &truth{channels: make(map[string]*channelTruth)} }

func (t *truth) of(channel string) *channelTruth {
	c, ok := t.channels[channel]
	if !ok {
		c = &channelTruth{
			acked: make(map[position]int), stored: make(map[position]entry),
			seen: make(map[position]time.Time), excluded: make(map[int]string),
		}
		t.channels[channel] = c
	}
	return c
}

// next numbers a new event, from which a connection may be excluded.
func (t *truth) next(channel, excluded string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channel)
	c.made = append(c.made, time.Now())
	if excluded != "" {
		c.excluded[len(c.made)] = excluded
	}
	return len(c.made)
}

// ack notes that an event was acknowledged under an id.
func (t *truth) ack(channel string, id position, number int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channel)
	c.acked[id], c.newest = number, id
	c.saw(id, time.Now())
}

// store notes an entry that was read in the store.
func (t *truth) store(channel string, id position, e entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channel)
	c.stored[id] = e
	c.saw(id, time.Now())
}

func (c *channelTruth) saw(id position, at time.Time) {
	if first, known := c.seen[id]; !known || at.Before(first) {
		c.seen[id] = at
	}
}

// nextPassing numbers a new event without history.
func (t *truth) nextPassing(channel string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channel)
	c.passing = append(c.passing, passing{made: time.Now()})
	return len(c.passing)
}

// triedPassing notes an attempt to publish one, and whether it was taken.
func (t *truth) triedPassing(channel string, number int, acked bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.of(channel).passing[number-1]
	p.tries++
	if acked {
		p.acked = time.Now()
	}
}

// deleted notes that a channel's history was deleted in a span.
func (t *truth) deleted(channel string, from, to time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channel)
	c.deletions = append(c.deletions, span{from, to})
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
// empty, at some moment since from. Whether a client had to be reset for it is
// another question: see lineage.descends.
func (t *truth) lost(channel string, from time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.losses = append(t.losses, loss{channel, span{from, time.Now()}})
}

// clockSlack covers that an id has milliseconds, cut off.
const clockSlack = 5 * time.Millisecond

func (s span) overlaps(from, to time.Time) bool {
	return !s.to.Before(from.Add(-clockSlack)) && !s.from.After(to.Add(clockSlack))
}

// lostBetween reports whether the store lost data of a channel between two
// moments.
func (t *truth) lostBetween(channel string, from, to time.Time) bool {
	return slices.ContainsFunc(t.losses, func(l loss) bool {
		return (l.channel == "" || l.channel == channel) && l.overlaps(from, to)
	})
}
