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
	// From is where the read began.
	From From
	// Reset is set when that position cannot be continued from: its reader
	// has to refetch, and goes on at Head.
	Reset event.ResetCause
	// Recovered: the position was found, and Events follow it without a hole.
	Recovered bool
	// Head is the channel's last position when the page was read; Created says
	// that there was none, so that a new history begins here.
	Head    event.Position
	Created bool
	// Oldest is that of the Snapshot.
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
	// Oldest is the position of the oldest entry in history. It is zero if
	// there is none, and only its time is set if that entry cannot be read.
	// Not needed for FromNow.
	Oldest event.Position
}

// SnapshotSize is how many entries a snapshot needs for a page of limit
// events: those, and the reader's own.
func SnapshotSize(limit int) int { return limit + 1 }

// Decide answers a Resume from a snapshot: what Place says of the reader that
// the snapshot was read for. Every bus asks it, so that all decide alike.
func Decide(s Snapshot, from From, limit int) Page {
	page := Page{From: from, Head: s.Head, Created: s.Created, Oldest: s.Oldest, Events: unbroken(s.Entries, from)}
	place := page.Place(from)
	_, positioned := from.Position()
	page.Reset = place.Reset
	page.Recovered = positioned && place.Reset == ""
	page.Events = page.Events[place.Next:]
	page.Events = page.Events[:min(limit, len(page.Events))]
	if n := len(page.Events); n > 0 {
		page.More = page.Events[n-1].Event.ID != s.Head
	}
	return page
}

// unbroken returns the entries that Place may go by: a chain without a hole.
// Where it is broken, a reader from the start begins after the last hole; what
// stands before it is another history, or is followed by a loss.
func unbroken(entries []Delivery, from From) []Delivery {
	for i := len(entries) - 1; i > 0; i-- {
		if Follows(entries[i], entries[i-1].Event.ID) {
			continue
		}
		if from.Start() {
			return entries[i:]
		}
		return nil
	}
	return entries
}

// Place is where a reader stands in a page.
type Place struct {
	// Known: the page tells. If it does not, a read that begins closer to the
	// reader will; one that began at the reader always does.
	Known bool
	// Reset is the cause for which the reader has to refetch, and goes on at
	// the page's head.
	Reset event.ResetCause
	// At is where the reader goes on otherwise: its own position, or for a
	// reader from the start the one before all that is kept.
	At event.Position
	// Next is the index in Events of the first that it has not had.
	Next int
}

// Place says where a reader stands in a page, which may have been read for
// another reader: many that come back at once can share one read. It is the
// whole rule of resuming and has no other input:
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
func (p *Page) Place(reader From) Place {
	c, positioned := reader.Position()
	switch {
	case reader.Start():
		return p.placeAtStart()
	case !positioned:
		return Place{Known: true, At: p.Head, Next: len(p.Events)}
	case p.Created:
		return p.lost(event.ResetUnknown)
	case c == p.Head:
		return Place{Known: true, At: c, Next: len(p.Events)}
	case c.Offset >= p.Head.Offset:
		return p.lost(event.ResetDiverged)
	}
	// It is behind the head: something followed it.
	next, holds := p.index(c.Offset + 1)
	switch {
	case holds && Follows(p.Events[next], c):
		return Place{Known: true, At: c, Next: next}
	case !holds && reader != p.From && !p.excludes(c):
		return Place{}
	case p.Oldest.Offset == 0 || p.Oldest.Offset > c.Offset:
		return p.lost(event.ResetTrimmed)
	}
	return p.lost(event.ResetDiverged)
}

func (p *Page) lost(cause event.ResetCause) Place {
	return Place{Known: true, Reset: cause, Next: len(p.Events)}
}

func (p *Page) placeAtStart() Place {
	switch {
	case !p.From.Start():
		return Place{}
	case len(p.Events) == 0:
		return Place{Known: true, At: p.Head}
	}
	// No event has the position before the first one, but it has the
	// predecessor's number and tag, which makes it a good cursor.
	first := p.Events[0]
	at := event.Position{Time: first.Event.ID.Time, Offset: first.Event.ID.Offset - 1, Tag: first.Previous}
	return Place{Known: true, At: at}
}

// index returns the place of an offset in Events, and whether it is among them.
func (p *Page) index(offset uint64) (i int, holds bool) {
	if len(p.Events) == 0 || offset < p.Events[0].Event.ID.Offset {
		return 0, false
	}
	n := offset - p.Events[0].Event.ID.Offset
	return int(n), n < uint64(len(p.Events))
}

// excludes reports whether the page proves, though it does not hold the event
// after c, that history does not go on from c: nothing as old is kept, or the
// event with c's number is another one.
func (p *Page) excludes(c event.Position) bool {
	if i, holds := p.index(c.Offset); holds {
		return p.Events[i].Event.ID != c
	}
	reached := p.From != FromNow() // else it was not read what is kept
	return reached && (p.Oldest.IsZero() || c.Offset+1 < p.Oldest.Offset)
}

// Follows reports whether d is the event right after last in one history.
func Follows(d Delivery, last event.Position) bool {
	return d.Event.ID.Offset == last.Offset+1 && d.Previous == last.Tag
}
