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
// pages of each kind. The judge knows the truth that the authority forgets:
// which chain of events a position is in, and what came after it there.
//
// It was tried against mistakes planted in resume.go by hand, one at a time.
// Beside each, the shortest history that showed it:
//
//	head compared without its tag           publish, lose 1, read
//	head compared by offset alone           publish, lose 1, publish
//	no tags compared anywhere               publish, lose 1, publish
//	Previous ignored                        publish, lose 1, publish
//	head not compared at all                publish
//	> for >= at the head, or no such check  publish, lose 1, read
//	the one before the head told diverged   publish
//	Created not looked at                   publish, lose 1
//	first entry dropped unseen              publish
//	first entry not held against the reader publish twice, trim oldest
//	only the first entry held against it    publish twice, spoil newest, publish
//	the reader's own entry required         publish
//	the reader's own entry given again      publish twice
//	a hole passed over                      publish, trim oldest
//	an end before the head taken for all    publish twice, spoil newest
//	never More                              publish twice
//	snapshot one entry short, page too long publish twice
//	trimmed and diverged exchanged          publish, trim oldest
//	trimmed where the oldest is the reader  publish twice, spoil newest
//	trimmed judged by time, not offset      publish twice, spoil newest, publish
//	a start across a hole                   publish twice, spoil newest, publish
//
// Three it cannot find, because they change no answer: the reader's own entry
// compared without its tag (the next entry's Previous tells), Follows without
// the offset (no tag comes twice here), and the end of a page compared with the
// head by offset alone (the chain has proved the rest).
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
	for _, limit := range []int{1, 2, 100} {
		m.started(a, limit)
		for _, reader := range a.made {
			m.resumed(a, reader, limit)
		}
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

// resumed asks on behalf of a reader and judges the answer.
//
// The contract (design.md, Resume) tells one thing less than it could, and so
// do these laws: a position of another history, whose offset is before what
// is kept, is told trimmed. That is so even where the next entry names another
// predecessor, which proves it diverged. And where a stranger made entries
// unreadable in the middle, so that no chain of events leads on, a position of
// the surviving history is told diverged. Readers have to refetch all the same.
func (m *model) resumed(a authority, reader *moment, limit int) {
	got := m.read(a, bus.FromPosition(reader.at), limit)
	truth := relate(a, reader)
	fail := func(law string) {
		m.t.Helper()
		m.fatalf("%s\nauthority: %v\nfrom %s, limit %d: %v\ntruth: surviving %v, followed by%s",
			law, a, nameOf(reader.at), limit, got, truth.surviving, names(positions(truth.after)))
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
		m.fatalf("%s\nauthority: %v\nfrom the start, limit %d: %v", law, a, limit, got)
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
	pages  []bus.Page
	events []event.Position
	reset  event.ResetCause
}

func (g answer) String() string {
	return fmt.Sprintf("%d pages, recovered %v, reset %q, events%s",
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
	m.t.Fatalf("after %s: %s", strings.Join(m.path, ", "), fmt.Sprintf(format, args...))
}

func isPrefix(got []event.Position, of []*moment) bool {
	return len(got) <= len(of) && slices.Equal(got, positions(of[:len(got)]))
}
