package bus

import "relay/event"

// From says where a reader wants to go on.
type From struct {
	kind fromKind
	at   event.Position
}

type fromKind int

const (
	fromNow fromKind = iota
	fromStart
	fromPosition
)

// FromNow asks for no past events, only for where the channel stands.
func FromNow() From { return From{} }

// FromStart asks for all that history holds.
func FromStart() From { return From{kind: fromStart} }

// FromPosition asks for everything after p.
func FromPosition(p event.Position) From { return From{kind: fromPosition, at: p} }

// Position returns the position asked for, if there is one.
func (f From) Position() (event.Position, bool) { return f.at, f.kind == fromPosition }

// Start reports whether all of history is asked for.
func (f From) Start() bool { return f.kind == fromStart }

// Page is the answer to a Resume.
type Page struct {
	// Reset is set when the reader's position cannot be continued from: it
	// has to refetch, and goes on at Head.
	Reset event.ResetCause
	// Recovered: the position was found, and Events follow it without a hole.
	Recovered bool
	// Head is the channel's last position when the page was read; Created says
	// that there was none, so that a new history begins here.
	Head    event.Position
	Created bool
	// Oldest is the position of the oldest event in history; zero if it is empty.
	Oldest event.Position
	// Events follow the position asked for, oldest first, each with the tag
	// of its predecessor.
	Events []Delivery
	// More: Events do not reach Head yet; ask again from the last of them.
	More bool
}

// Snapshot is what an authority read, in one atomic step, to answer a Resume.
type Snapshot struct {
	// Head is the channel's last position, made anew if there was none.
	Head event.Position
	// Created: there was no head, so a new history began with this read.
	Created bool
	// Entries are history from the position asked for on, that one included
	// if it is still there; for FromStart from the oldest on. Oldest first,
	// and only the first SnapshotSize(limit) of them.
	Entries []Delivery
	// Oldest is the position of the oldest entry in history; zero if it is empty.
	Oldest event.Position
}

// SnapshotSize is how many entries a snapshot needs for a page of limit
// events: those, and the reader's own.
func SnapshotSize(limit int) int { return limit + 1 }

// Decide answers a Resume from a snapshot. It is the whole rule and has no
// other input, so that every bus decides alike:
//
//   - The offset shows a hole by arithmetic; the chain of tags proves that two
//     events follow each other in one history, whatever a failover, a flush
//     or a step of the clock did.
//   - A reader at the head has lost nothing even if history has expired.
//   - A position that history no longer holds is still good if the next entry
//     names it as its predecessor.
//   - All has been read when the head has. History that ends before it (an
//     entry was deleted, or is not one of ours) would otherwise be a hole that
//     nothing shows until the next event, and in a quiet channel nothing ever.
func Decide(s Snapshot, from From, limit int) Page {
	page := Page{Head: s.Head, Created: s.Created, Oldest: s.Oldest}
	c, positioned := from.Position()
	switch {
	case from.Start():
		page.Events = lastChain(s.Entries)
	case !positioned:
		return page
	case s.Created:
		page.Reset = event.ResetUnknown
		return page
	case c == s.Head:
		page.Recovered = true
		return page
	case c.Offset >= s.Head.Offset:
		page.Reset = event.ResetDiverged
		return page
	default:
		rest, ok := following(s.Entries, c)
		if !ok {
			page.Reset = event.ResetDiverged
			if s.Oldest.IsZero() || s.Oldest.Offset > c.Offset {
				page.Reset = event.ResetTrimmed
			}
			return page
		}
		page.Recovered = true
		page.Events = rest
	}
	page.Events = page.Events[:min(limit, len(page.Events))]
	if n := len(page.Events); n > 0 {
		page.More = page.Events[n-1].Event.ID != s.Head
	}
	return page
}

// following returns the entries after c, if they prove that c is in the same
// history and that nothing is missing between them. There are some, or what
// should follow c has been lost: c is not the head.
func following(entries []Delivery, c event.Position) ([]Delivery, bool) {
	if len(entries) > 0 && entries[0].Event.ID == c {
		entries = entries[1:]
	}
	if len(entries) == 0 {
		return nil, false
	}
	last := c
	for _, e := range entries {
		if !Follows(e, last) {
			return nil, false
		}
		last = e.Event.ID
	}
	return entries, true
}

// lastChain returns the entries after the last break in the chain: what stands
// before it is another history, or is followed by a hole.
func lastChain(entries []Delivery) []Delivery {
	for i := len(entries) - 1; i > 0; i-- {
		if !Follows(entries[i], entries[i-1].Event.ID) {
			return entries[i:]
		}
	}
	return entries
}

// Follows reports whether d is the event right after last in one history.
func Follows(d Delivery, last event.Position) bool {
	return d.Event.ID.Offset == last.Offset+1 && d.Previous == last.Tag
}
