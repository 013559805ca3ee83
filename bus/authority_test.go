package bus_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"relay/bus"
	"relay/event"
)

// moment is a place in a channel's truth: an event that was acknowledged, or
// the beginning of a history. Those after one another form a chain, and a
// history that lost its end and went on otherwise is a tree of them. Nothing
// of the truth is ever forgotten, whatever the authority forgets.
type moment struct {
	at     event.Position
	before *moment // nil for the beginning of a history
}

func (m *moment) delivery() bus.Delivery {
	return bus.Delivery{Event: &event.Event{ID: m.at}, Previous: m.before.at.Tag}
}

// authority stands in for Redis: what it holds of one channel. It does what
// the scripts of redisbus do, and what can happen to a Redis. It is a value:
// each step returns another one, and the old one can be gone on from anew.
type authority struct {
	clock   int64
	head    *moment   // nil: the channel's position is not known
	entries []*moment // history, oldest first
	// behind is what a replica held that lacks the last event: with it, it
	// lacks whatever was done since.
	behind *authority
	// expiries counts how often all entries had their time: a replica's do
	// then too, however far it is behind.
	expiries int
	// made are all the moments there ever were, and with them each position
	// that a reader may hand back.
	made []*moment
}

// mark makes a moment. Its tag is its name, padded with zeros: the number of
// the event in the order of publishing, or h1, h2 … for a beginning.
func (a authority) mark(before *moment, at event.Position) (authority, *moment) {
	n, name := 1, ""
	for _, m := range a.made {
		if (m.before == nil) == (before == nil) {
			n++
		}
	}
	if before == nil {
		name = "h"
	}
	name += strconv.Itoa(n)
	at.Tag = event.Tag([]byte("000000"[len(name):] + name))
	m := &moment{at: at, before: before}
	a.made = append(slices.Clip(a.made), m)
	return a, m
}

// named returns the moment of a name; nil if there is none.
func (a authority) named(name string) *moment {
	for _, m := range a.made {
		if nameOf(m.at) == name {
			return m
		}
	}
	return nil
}

// String says what is held, with the numbers that Redis compares.
func (a authority) String() string {
	head := "no head"
	if a.head != nil {
		head = fmt.Sprintf("head %s (%d-%d)", nameOf(a.head.at), a.head.at.Time, a.head.at.Offset)
	}
	return head + "; kept:" + names(positions(a.entries))
}

func names(list []event.Position) string {
	text := ""
	for _, at := range list {
		text += " " + nameOf(at)
	}
	return text
}

func positions(list []*moment) []event.Position {
	all := make([]event.Position, len(list))
	for i, m := range list {
		all[i] = m.at
	}
	return all
}

func ids(list []bus.Delivery) []event.Position {
	all := make([]event.Position, len(list))
	for i, d := range list {
		all[i] = d.Event.ID
	}
	return all
}

func nameOf(at event.Position) string {
	if at.Tag == (event.Tag{}) {
		return "?"
	}
	return strings.TrimLeft(at.Tag.String(), "0")
}

// begin begins a new history if there is no head.
func (a authority) begin() (_ authority, created bool) {
	if a.head != nil {
		return a, false
	}
	a.entries = nil
	a, a.head = a.mark(nil, event.Position{Time: a.clock})
	return a, true
}

func (a authority) publish() authority {
	replica := a
	a.clock++
	a, _ = a.begin()
	a, a.head = a.mark(a.head, event.Position{Time: max(a.clock, a.head.at.Time), Offset: a.head.at.Offset + 1})
	a.entries = append(slices.Clip(a.entries), a.head)
	a.behind = &replica
	return a
}

// trim drops the n oldest entries.
func (a authority) trim(n int) authority {
	a.entries = a.entries[min(n, len(a.entries)):]
	return a
}

// expire lets the time of all entries be over.
func (a authority) expire() authority {
	a.entries = nil
	a.expiries++
	return a
}

// flush forgets all.
func (a authority) flush() authority {
	a.head, a.entries = nil, nil
	return a
}

// forget loses the head and leaves the entries, as an eviction does.
func (a authority) forget() authority {
	a.head = nil
	return a
}

// clockBack lets the clock step back.
func (a authority) clockBack(by int64) authority {
	a.clock -= by
	return a
}

// spoil makes an entry unreadable, as a stranger with a Redis client can.
func (a authority) spoil(m *moment) authority {
	a.entries = slices.DeleteFunc(slices.Clone(a.entries), func(e *moment) bool { return e == m })
	return a
}

// scribble adds an entry that is not ours, as a stranger can: of its position
// only the time counts.
func (a authority) scribble() authority {
	a.entries = append(slices.Clip(a.entries), &moment{at: event.Position{Time: a.clock}})
	return a
}

// failOver makes a replica the authority that never saw the last n events.
// ok is false if there are not as many.
func (a authority) failOver(n int) (_ authority, ok bool) {
	replica := a
	for range n {
		if replica.behind == nil {
			return a, false
		}
		replica = *replica.behind
	}
	if replica.expiries < a.expiries {
		replica.entries = nil
	}
	// Both have the same time, and what was made remains made.
	replica.clock, replica.expiries, replica.made = a.clock, a.expiries, a.made
	return replica, true
}

// resume reads a page as a bus does.
func (a authority) resume(from bus.From, limit int) (authority, bus.Page) {
	a, created := a.begin()
	s := bus.Snapshot{Head: a.head.at, Created: created}
	if from != bus.FromNow() { // else Redis is not asked what it keeps
		s.Oldest = oldest(a)
	}
	for _, m := range a.entries {
		if len(s.Entries) < bus.SnapshotSize(limit) && wanted(m.at, from) && m.before != nil {
			s.Entries = append(s.Entries, m.delivery())
		}
	}
	return a, bus.Decide(s, from, limit)
}

func oldest(a authority) event.Position {
	if len(a.entries) == 0 {
		return event.Position{}
	}
	return a.entries[0].at
}

// wanted compares as Redis does, which knows nothing of tags.
func wanted(at event.Position, from bus.From) bool {
	p, ok := from.Position()
	if !ok {
		return from.Start()
	}
	return at.Time > p.Time || at.Time == p.Time && at.Offset >= p.Offset
}
