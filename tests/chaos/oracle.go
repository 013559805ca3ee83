package chaos

import (
	"fmt"
	"slices"
)

// Violation is a broken promise, told so that it can be understood without
// the run.
type Violation struct {
	// Client and Channel say whose; empty if it is nobody's in particular.
	Client, Channel string
	// What was broken, and what was expected and seen.
	What, Expected, Seen string
	// Story is the end of the client's log of the channel, oldest first.
	Story []string
}

// maxPerReader bounds the violations that are told of one client and channel:
// the first is the one to look at, what follows is often its echo.
const maxPerReader = 3

// storyLength is how many notes a violation tells.
const storyLength = 16

// verdict is what the oracle found.
type verdict struct {
	violations []Violation
	suppressed int            // beyond maxPerReader
	resets     map[string]int // by what the relay said and what the oracle found
}

// judge compares what clients saw with the truth.
func judge(t *truth, logs []*log) *verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := &verdict{resets: make(map[string]int)}
	for _, channel := range channelsOf(t, logs) {
		g := newLineage(t, channel, logs)
		v.violations = append(v.violations, judgeHistory(g)...)
		for _, l := range logs {
			if slices.Contains(l.channels, channel) {
				r := &reader{lineage: g, verdict: v, client: l.client, carries: l.carries, seen: make(map[position]struct{}), passed: make(map[int]struct{}), had: make(map[string]struct{})}
				r.judge(l.notes)
			}
		}
	}
	return v
}

func channelsOf(t *truth, logs []*log) []string {
	set := make(map[string]struct{})
	for name := range t.channels {
		set[name] = struct{}{}
	}
	for _, l := range logs {
		for _, name := range l.channels {
			set[name] = struct{}{}
		}
	}
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// judgeHistory holds the ids of a channel against each other: without a loss,
// an offset is given once and an event is published once.
func judgeHistory(g *lineage) []Violation {
	var found []Violation
	offsets, events := make(map[uint64]position), make(map[int]position)
	for _, id := range g.ids {
		if other, taken := offsets[id.offset]; taken && !g.lostAround(other, id) {
			found = append(found, Violation{Channel: g.name, What: "two ids with one offset and no loss between them",
				Expected: other.String(), Seen: id.String()})
		}
		offsets[id.offset] = id
		number, isEvent := g.numbers[id]
		if !isEvent {
			continue
		}
		if other, taken := events[number]; taken && !g.lostAround(other, id) && !g.aged(other, g.given(id).to, keyTTL) {
			found = append(found, Violation{Channel: g.name, What: fmt.Sprintf("event number %d was published twice although every attempt had the same key", number),
				Expected: other.String(), Seen: id.String()})
		}
		events[number] = id
	}
	return found
}

// lostAround reports whether a loss explains that there are both of two ids.
func (g *lineage) lostAround(a, b position) bool {
	until := g.given(a).to
	if to := g.given(b).to; to.After(until) {
		until = to
	}
	return g.lost(a, until) || g.lost(b, until)
}
