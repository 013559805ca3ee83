package chaos

import (
	"fmt"
	"maps"
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
		c := t.of(channel)
		chain := newChain(idsOf(c, channel, logs))
		v.violations = append(v.violations, judgeHistory(t, channel, chain, numbersOf(c, channel, logs))...)
		for _, l := range logs {
			if slices.Contains(l.channels, channel) {
				r := &reader{truth: t, channel: c, chain: chain, verdict: v, client: l.client, name: channel, seen: make(map[position]struct{})}
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

// idsOf gathers all ids that anybody was told: acknowledged ones, and those
// that only clients saw because the answer to the publisher was lost.
func idsOf(c *channelTruth, channel string, logs []*log) map[position]struct{} {
	ids := make(map[position]struct{})
	for id := range c.acked {
		ids[id] = struct{}{}
	}
	for _, l := range logs {
		for _, n := range l.notes {
			if n.channel == channel && n.id != (position{}) {
				ids[n.id] = struct{}{}
			}
		}
	}
	return ids
}

// numbersOf says which event each id names.
func numbersOf(c *channelTruth, channel string, logs []*log) map[position]int {
	numbers := make(map[position]int)
	for _, l := range logs {
		for _, n := range l.notes {
			if n.channel == channel && n.kind == noteEvent {
				numbers[n.id] = n.number
			}
		}
	}
	maps.Copy(numbers, c.acked)
	return numbers
}

// judgeHistory holds the ids of a channel against each other: without a loss,
// an offset is given once and an event is published once.
func judgeHistory(t *truth, channel string, c *chain, numbers map[position]int) []Violation {
	var found []Violation
	offsets, events := make(map[uint64]position), make(map[int]position)
	for _, id := range c.ids {
		if other, taken := offsets[id.offset]; taken && !t.lostBetween(channel, other.ms, timeOf(id)) {
			found = append(found, Violation{Channel: channel, What: "two ids with one offset and no loss between them",
				Expected: other.String(), Seen: id.String()})
		}
		offsets[id.offset] = id
		number, isEvent := numbers[id]
		if !isEvent {
			continue
		}
		if other, taken := events[number]; taken && !t.lostBetween(channel, other.ms, timeOf(id)) {
			found = append(found, Violation{Channel: channel, What: fmt.Sprintf("event number %d was published twice although every attempt had the same key", number),
				Expected: other.String(), Seen: id.String()})
		}
		events[number] = id
	}
	return found
}
