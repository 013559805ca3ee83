package bus_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"relay/bus"
	"relay/event"
)

// TestEveryShortHistory does to a channel, in every order, up to modelDepth of
// what can happen to it, and then asks from each position there ever was, in
// pages of each kind, and asks each of these pages about every other reader.
// The judge knows the truth that the authority forgets: which chain of events
// a position is in, and what came after it there.
//
// It was tried against mistakes planted in resume.go by hand, one at a time.
// Beside each, the shortest history that showed it:
//
//	head compared without its tag           publish, lose 1, read
//	head compared by offset alone           publish, lose 1, publish
//	no tags compared anywhere               publish, lose 1, publish
//	Previous ignored                        publish, lose 1, publish
//	the first event not held against c      publish, lose 1, publish
//	head not compared at all                nothing at all
//	> for >= at the head                    publish, lose 1, publish
//	no such check                           publish twice, lose 1
//	the one before the head told diverged   publish
//	Created not looked at                   publish, lose 1
//	holes not looked for                    publish twice, spoil newest, publish
//	the reader's own entry required         publish
//	the reader's own entry given again      publish twice
//	the next event passed over              publish
//	an end before the head taken for all    publish twice, trim oldest
//	never More                              publish twice
//	snapshot one entry short, page too long publish twice
//	trimmed and diverged exchanged          publish, trim oldest
//	trimmed where the oldest is the reader  publish twice, spoil newest
//	trimmed judged by time, not offset      publish twice, spoil newest, publish
//	a start across a hole, or given nothing publish twice, spoil newest, publish
//	a start that stands at the first event  publish
//	a start told by any page                nothing at all
//
// And beside each that only another reader's page could show:
//
//	a reader not told by its own page       publish twice, spoil newest
//	every page tells every reader           publish
//	the page's reset told to all            publish, trim oldest
//	its recovery told to all that it holds  publish, lose 1, publish twice
//	all given the whole page                publish twice
//	all moved to where the page began       publish
//	who is at the head given the page       publish
//	the page's last event not looked at     publish
//	its last event's own reader told lost   publish twice
//	after its end told recovered            publish twice, lose 1, publish twice
//	at its end too, by the offset           publish, lose 1, publish twice
//	another event of c's number not seen    publish, lose 1, publish twice
//	that event compared without its tag     publish, lose 1, clock back, publish twice
//	just before the oldest told trimmed     publish
//	the oldest not looked at                publish twice, trim oldest
//	nothing kept, and it is not seen        publish, trim oldest
//	a page from now taken for what is kept  publish
//
// What it cannot find changes no answer, or to one that is as good: Follows
// without the offset (no tag comes twice here), the end of a page compared with
// the head by offset alone (the chain has proved the rest), the place before
// the start at another time (its number and tag tell), and the last event of a
// page that is not the head telling its own reader "recovered" (the next page
// tells all the same, but the reader is spared a word that may not hold).
func TestEveryShortHistory(t *testing.T) {
	m := model{t: t, reached: make(map[string]int)}
	for depth := range modelDepth + 1 { // so that the first failure is a shortest one
		m.explore(authority{clock: 1000}, depth)
	}
	// A judge that is never asked a hard question finds nothing.
	for _, what := range []string{
		"recovered with events", "recovered in pages", "recovered, quiet and expired", "recovered, own entry trimmed",
		"reset trimmed", "reset diverged", "reset unknown", "an entry with the reader's ID and another tag",
		"started", "started after a hole", "reset on a later page",
		"shared recovered", "shared reset trimmed", "shared reset diverged", "shared reset unknown", "shared untold",
	} {
		if m.reached[what] == 0 {
			t.Errorf("%d histories, and none of them reached: %s", m.histories, what)
		}
	}
	t.Logf("%d histories reached %v", m.histories, m.reached)
}

// modelDepth is enough for two histories that meet in an ID, each with a past.
const modelDepth = 7

// steps are what can happen to a channel. A step that changes nothing says so:
// what would follow it is tried without it anyway.
var steps = []struct {
	name string
	take func(authority) (_ authority, changed bool)
}{
	{"publish", func(a authority) (authority, bool) { return a.publish(), true }},
	{"trim oldest", func(a authority) (authority, bool) { return a.trim(1), len(a.entries) > 0 }},
	{"expire", func(a authority) (authority, bool) { return a.expire(), len(a.entries) > 0 }},
	{"lose 1", func(a authority) (authority, bool) { return a.failOver(1) }},
	{"lose 2", func(a authority) (authority, bool) { return a.failOver(2) }},
	{"flush", func(a authority) (authority, bool) { return a.flush(), a.head != nil }},
	{"forget head", func(a authority) (authority, bool) { return a.forget(), a.head != nil }},
	{"clock back", func(a authority) (authority, bool) { return a.clockBack(1), true }},
	{"read", authority.begin},
	{"spoil newest", func(a authority) (authority, bool) {
		if len(a.entries) == 0 {
			return a, false
		}
		return a.spoil(a.entries[len(a.entries)-1]), true
	}},
}

type model struct {
	t         *testing.T
	path      []string
	limit     int // of the pages that are asked for
	histories int
	reached   map[string]int
}

func (m *model) explore(a authority, depth int) {
	if depth == 0 {
		m.judge(a)
		return
	}
	for _, step := range steps {
		if next, changed := step.take(a); changed {
			m.path = append(m.path, step.name)
			m.explore(next, depth-1)
			m.path = m.path[:len(m.path)-1]
		}
	}
}

func (m *model) judge(a authority) {
	m.histories++
	truth := make([]relation, len(a.made))
	for i, reader := range a.made {
		truth[i] = relate(a, reader)
	}
	for _, limit := range []int{1, 2, 100} {
		m.limit = limit
		m.started(a, limit)
		own := make(map[event.Position]answer)
		for i, reader := range a.made {
			own[reader.at] = m.read(a, bus.FromPosition(reader.at), limit)
			m.resumed(a, reader, truth[i], own[reader.at])
		}
		m.shared(a, truth, own, limit)
	}
}

// relation is the truth between a reader's position and what the authority holds.
type relation struct {
	// surviving: the position is in the history that goes on.
	surviving bool
	// after are the events that followed it there, oldest first, and missing
	// says that one of them can no longer be read.
	after   []*moment
	missing bool
	// reachesBack: history holds something as old as the position, or older.
	reachesBack bool
	// suffix: what history holds are the newest events, without a hole.
	suffix bool
}

func relate(a authority, reader *moment) relation {
	r := relation{suffix: isSuffix(a), reachesBack: len(a.entries) > 0 && a.entries[0].at.Offset <= reader.at.Offset}
	for at := a.head; at != nil && !r.surviving; at = at.before {
		if r.surviving = at == reader; !r.surviving {
			r.after = append(r.after, at)
		}
	}
	slices.Reverse(r.after)
	for _, m := range r.after {
		r.missing = r.missing || !slices.Contains(a.entries, m)
	}
	return r
}

func isSuffix(a authority) bool {
	at := a.head
	for _, m := range slices.Backward(a.entries) {
		if m != at {
			return false
		}
		at = at.before
	}
	return true
}

// resumed judges what a reader was answered, be the first page its own or
// another reader's.
//
// The contract (design.md, Resume) tells one thing less than it could, and so
// do these laws: a position of another history, whose offset is before what
// is kept, is told trimmed. That is so even where the next entry names another
// predecessor, which proves it diverged. And where a stranger made entries
// unreadable in the middle, so that no chain of events leads on, a position of
// the surviving history is told diverged. Readers have to refetch all the same.
func (m *model) resumed(a authority, reader *moment, truth relation, got answer) {
	fail := func(law string) {
		m.t.Helper()
		m.fatalf("%s\nauthority: %v\nfrom %s: %v\ntruth: surviving %v, followed by%s",
			law, a, nameOf(reader.at), got, truth.surviving, names(positions(truth.after)))
	}
	positioned := got.pages[0].Recovered == (got.pages[0].Reset == "")
	switch {
	case !positioned:
		fail("a reader with a position is either recovered or reset")
	// No hole without a reset.
	case len(got.events) > 0 && !truth.surviving:
		fail("the position is of another history, and events were given as if they followed")
	case !isPrefix(got.events, truth.after):
		fail("the events are not those that followed the position")
	case got.reset == "" && !truth.surviving:
		fail("the position is of another history, and no reset tells")
	case got.reset == "" && len(got.events) < len(truth.after):
		fail("events are missing, and no reset tells")
	// No reset without a cause.
	case got.reset != "" && a.head != nil && truth.surviving && !truth.missing:
		fail("nothing was lost, and a reset tells to refetch")
	case len(got.pages) > 1 && got.reset != "" && truth.suffix:
		fail("the first page said recovered, and what it promised was there")
	// The cause is true.
	case (got.reset == event.ResetUnknown) != (a.head == nil):
		fail("unknown says that the channel's position was forgotten, no more and no less")
	case got.reset == event.ResetTrimmed && truth.reachesBack:
		fail("trimmed, but history reaches back to the position")
	case got.reset == event.ResetTrimmed && !truth.surviving && reader.at.Offset >= a.head.at.Offset:
		fail("trimmed, but this history never came as far as the position")
	case got.reset == event.ResetDiverged && truth.surviving && truth.suffix:
		fail("diverged, but the position is in the surviving history")
	case got.reset == event.ResetDiverged && len(got.pages) == 1 && !truth.reachesBack && reader.at.Offset < a.head.at.Offset:
		fail("diverged, but history does not reach back, which is told trimmed whatever the truth")
	}
	m.noteResumed(a, reader, got)
}

func (m *model) noteResumed(a authority, reader *moment, got answer) {
	note := func(what string, is bool) {
		if is {
			m.reached[what]++
		}
	}
	recovered := got.reset == ""
	kept := slices.Contains(a.entries, reader)
	note("recovered with events", recovered && len(got.events) > 0)
	note("recovered in pages", recovered && len(got.pages) > 1)
	note("recovered, quiet and expired", recovered && reader.before != nil && len(a.entries) == 0)
	note("recovered, own entry trimmed", recovered && len(got.events) > 0 && reader.before != nil && !kept)
	note("reset "+string(got.reset), !recovered)
	note("reset on a later page", !recovered && len(got.pages) > 1)
	for _, e := range a.entries {
		note("an entry with the reader's ID and another tag",
			e.at.Time == reader.at.Time && e.at.Offset == reader.at.Offset && e.at.Tag != reader.at.Tag)
	}
}

// started asks for all of history and judges the answer: it is what is kept,
// from where on nothing is missing.
func (m *model) started(a authority, limit int) {
	got := m.read(a, bus.FromStart(), limit)
	fail := func(law string) {
		m.t.Helper()
		m.fatalf("%s\nauthority: %v\nfrom the start: %v", law, a, got)
	}
	suffix := isSuffix(a)
	switch {
	case got.pages[0].Recovered || got.pages[0].Reset != "":
		fail("a reader without a position is neither recovered nor reset")
	case got.reset != "" && suffix:
		fail("nothing is missing, and a reset tells to refetch")
	case a.head == nil || len(a.entries) == 0:
		if len(got.events) > 0 {
			fail("nothing is kept, and events were given")
		}
		return
	case len(got.events) == 0:
		fail("something is kept, and nothing was given")
	case suffix && !slices.Equal(got.events, positions(a.entries)):
		fail("the events are not what is kept")
	}
	first := a.made[slices.IndexFunc(a.made, func(e *moment) bool { return e.at == got.events[0] })]
	rest := relate(a, first)
	switch {
	case !isPrefix(got.events[1:], rest.after):
		fail("the events do not follow each other")
	case got.reset == "" && len(got.events)-1 < len(rest.after):
		fail("events are missing, and no reset tells")
	}
	m.reached["started"]++
	if !suffix && got.reset == "" {
		m.reached["started after a hole"]++
	}
}

// answer is what a reader got over all pages.
type answer struct {
	sharing *bus.Page // the first page, if it is asked for a place
	pages   []bus.Page
	events  []event.Position
	reset   event.ResetCause
}

func (g answer) String() string {
	text := ""
	if g.sharing != nil {
		text = "placed in " + describe(g.sharing) + ": "
	}
	return text + fmt.Sprintf("%d pages, recovered %v, reset %q, events%s",
		len(g.pages), g.pages[0].Recovered, g.reset, names(g.events))
}

// read reads page after page, as a hub does.
func (m *model) read(a authority, from bus.From, limit int) answer {
	var got answer
	for {
		next, page := a.resume(from, limit)
		got.pages = append(got.pages, page)
		switch {
		case page.Head != next.head.at:
			m.fatalf("the page's head is %v, the channel's %v", page.Head, next.head.at)
		case page.Created != (a.head == nil):
			m.fatalf("the page says of a new history: %v", page.Created)
		case page.Oldest != oldest(next):
			m.fatalf("the page's oldest is %v, the channel's %v", page.Oldest, oldest(next))
		case page.Reset != "" && (page.More || len(page.Events) > 0):
			m.fatalf("a page resets and holds events, or says there are more: %+v", page)
		case len(page.Events) > limit:
			m.fatalf("a page of at most %d events holds %d", limit, len(page.Events))
		case page.More && len(page.Events) < limit && isSuffix(a):
			m.fatalf("a page says there are more, and has room for %d", limit-len(page.Events))
		case page.More && len(page.Events) == 0:
			m.fatalf("a page says there are more, but not from where: %+v", page)
		case len(got.pages) > len(a.made)+1:
			m.fatalf("the reader comes to no end: %v", got)
		}
		got.events = append(got.events, ids(page.Events)...)
		if got.reset = page.Reset; !page.More {
			return got
		}
		a, from = next, bus.FromPosition(page.Events[len(page.Events)-1].Event.ID)
	}
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("after %s, with pages of %d: %s", strings.Join(m.path, ", "), m.limit, fmt.Sprintf(format, args...))
}

func isPrefix(got []event.Position, of []*moment) bool {
	return len(got) <= len(of) && slices.Equal(got, positions(of[:len(got)]))
}
