package bus_test

import (
	"fmt"
	"slices"

	"relay/bus"
	"relay/event"
)

// shared reads pages from everywhere, and asks each where every reader stands
// in it: those that come back at once share the pages that are read.
func (m *model) shared(a authority, truth []relation, own map[event.Position]answer, limit int) {
	m.sharedFromStart(a, limit)
	froms := []bus.From{bus.FromNow(), bus.FromStart()}
	for _, other := range a.made {
		froms = append(froms, bus.FromPosition(other.at))
	}
	for _, from := range froms {
		_, page := a.resume(from, limit)
		for i, reader := range a.made {
			m.placed(a, &page, reader, truth[i], own)
		}
	}
}

// placed asks a page where a reader stands in it and judges the answer, by the
// laws for a page of its own. After it, the reader reads for itself.
func (m *model) placed(a authority, page *bus.Page, reader *moment, truth relation, own map[event.Position]answer) {
	place := page.Place(bus.FromPosition(reader.at))
	fail := func(law string) {
		m.t.Helper()
		m.fatalf("%s\nauthority: %v\n%s in a page %s: %+v", law, a, nameOf(reader.at), describe(page), place)
	}
	switch why := mustTell(a, page, reader, truth); {
	case !place.Known && why != "":
		fail("the page does not tell, but it " + why)
	case !place.Known:
		m.reached["shared untold"]++
		return
	case place.Reset == "" && place.At != reader.at:
		fail("the reader was moved")
	case page.From == bus.FromPosition(reader.at) && place.Reset != page.Reset:
		fail("the page was read for this reader, and told it something else")
	}
	got := answer{
		sharing: page,
		pages:   []bus.Page{{Recovered: place.Reset == "", Reset: place.Reset}},
		events:  ids(page.Events[place.Next:]),
		reset:   place.Reset,
	}
	if stands := last(got.events, reader.at); got.reset == "" && stands != page.Head {
		rest := own[stands]
		got.pages = append(got.pages, rest.pages...)
		got.events = append(got.events, rest.events...)
		got.reset = rest.reset
	}
	m.resumed(a, reader, truth, got)
	if place.Reset != "" {
		m.reached["shared reset "+string(place.Reset)]++
	} else if page.From != bus.FromPosition(reader.at) && len(page.Events) > place.Next {
		m.reached["shared recovered"]++
	}
}

func last(events []event.Position, none event.Position) event.Position {
	if len(events) == 0 {
		return none
	}
	return events[len(events)-1]
}

// mustTell says why a page has to tell a reader where it stands. Without the
// first reason a reader could wait for ever, without the others each would
// have to read for itself.
func mustTell(a authority, page *bus.Page, reader *moment, truth relation) string {
	readKept := page.From != bus.FromNow()
	switch {
	case page.From == bus.FromPosition(reader.at):
		return "was read for this reader"
	case a.head == nil:
		return "finds the channel's position forgotten"
	case reader.at == a.head.at:
		return "has the reader's position for its head"
	case reader.at.Offset >= a.head.at.Offset:
		return "has a head that is not beyond the reader's position"
	case readKept && (len(a.entries) == 0 || a.entries[0].at.Offset > reader.at.Offset+1):
		return "sees that nothing as old is kept"
	case truth.surviving && slices.Contains(ids(page.Events), truth.after[0].at):
		return "holds the reader's next event"
	case slices.ContainsFunc(page.Events, func(d bus.Delivery) bool {
		return d.Event.ID.Offset == reader.at.Offset && d.Event.ID != reader.at
	}):
		return "holds another event of the reader's number"
	}
	return ""
}

// sharedFromStart: who wants all of history stands before the first event of
// a page read from the start, in one that is as good as any, and any other
// page says nothing about it.
func (m *model) sharedFromStart(a authority, limit int) {
	next, page := a.resume(bus.FromStart(), limit)
	place := page.Place(bus.FromStart())
	again, own := next.resume(bus.FromPosition(place.At), limit)
	switch _, head := again.resume(bus.FromNow(), limit); {
	case !place.Known || place.Reset != "" || place.Next != 0:
		m.fatalf("a reader from the start stands at %+v in its page\nauthority: %v", place, a)
	case isSuffix(a) && (!own.Recovered || !slices.Equal(ids(own.Events), ids(page.Events))):
		m.fatalf("the place before the start is no good cursor: %+v\nauthority: %v", own, a)
	case head.Place(bus.FromStart()).Known:
		m.fatalf("a page without the start tells about it\nauthority: %v", a)
	case head.Place(bus.FromNow()) != bus.Place{Known: true, At: head.Head}:
		m.fatalf("a reader from now stands at %+v in its page\nauthority: %v", head.Place(bus.FromNow()), a)
	}
}

func describe(page *bus.Page) string {
	from := "from now"
	if at, ok := page.From.Position(); ok {
		from = "from " + nameOf(at)
	} else if page.From.Start() {
		from = "from the start"
	}
	return fmt.Sprintf("%s (head %s, reset %q, events%s)", from, nameOf(page.Head), page.Reset, names(ids(page.Events)))
}
