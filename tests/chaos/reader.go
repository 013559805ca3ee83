package chaos

import (
	"fmt"
	"slices"
	"time"
)

// reader judges one client on one channel.
type reader struct {
	*lineage
	verdict *verdict
	client  string
	carries bool // see log

	begun bool // it was told subscribed once
	last  position
	seen  map[position]struct{}
	// jumped is set between a subscribed that did not recover and its reset.
	jumped bool
	from   position // where the client stood before it
	// names of its connection: its own, and the one that it goes on from.
	names [2]string
	had   map[string]struct{} // all names that its connections ever had

	// Of its connection: events without history, and when the newest event
	// that it was told was made.
	passed    map[int]struct{}
	newestWas time.Time

	story []note
	told  int // violations
}

func (r *reader) judge(notes []note) {
	for _, n := range notes {
		if n.channel != "" && n.channel != r.name {
			continue
		}
		r.story = append(r.story, n)
		if len(r.story) > 2*storyLength {
			r.story = append(r.story[:0], r.story[len(r.story)-storyLength:]...)
		}
		switch n.kind {
		case noteOpened:
			r.names = [2]string{"", n.identity}
			r.newestWas = time.Time{}
			clear(r.passed)
		case noteWelcomed:
			r.names[0] = n.identity
			r.had[n.identity] = struct{}{}
		case noteSubscribed:
			r.subscribed(n)
		case noteEvent:
			r.event(n)
		case notePassing:
			r.passing(n)
		case noteReset:
			r.reset(n)
		case noteEnded:
			r.ended(n)
		}
	}
	r.end()
}

func (r *reader) subscribed(n note) {
	defer func() { r.begun, r.last = true, n.id }()
	switch {
	case !r.begun:
	case r.jumped:
		r.violate("subscribed with recovered false was followed by another subscribed", "a reset", n.String())
	case n.recovered == nil:
		r.violate("a client that had a position was subscribed afresh", fmt.Sprintf("recovered at %v, or a reset", r.last), n.String())
	case *n.recovered && !r.passedOver(r.last, n.id):
		r.violate("recovered at another position than the client's", r.last.String(), n.id.String())
	case !*n.recovered:
		r.jumped, r.from = true, r.last
	}
}

func (r *reader) event(n note) {
	r.settle(n)
	r.known(n)
	_, again := r.seen[n.id]
	r.seen[n.id] = struct{}{}
	last := r.last
	r.last = n.id
	if !r.begun {
		r.begun = true
		r.violate("an event before subscribed", "subscribed", n.String())
		return
	}
	if r.excludedFrom(n.number) {
		r.violate("an event that the client's connection is excluded from", "nothing", n.String())
	}
	due := r.withoutExcluded(n.id, last)
	switch {
	case again:
		r.violate("duplicate", r.after(last), n.String())
	case n.id.offset <= last.offset:
		r.violate("out of order, or another history without a reset", r.after(last), n.String())
	case due.offset > last.offset+1:
		r.violate(fmt.Sprintf("gap: %d events are missing", due.offset-last.offset-1), r.after(last), n.String())
	case !r.follows(due, last):
		previous, _ := r.previous(due)
		r.violate("an event of another history without a reset", r.after(last), fmt.Sprintf("%v, and %v follows %v", n, due, previous))
	}
	if n.number >= 1 && n.number <= len(r.channel.made) && r.channel.made[n.number-1].After(r.newestWas) {
		r.newestWas = r.channel.made[n.number-1]
	}
}

func (r *reader) excludedFrom(number int) bool {
	name, some := r.channel.excluded[number]
	return some && (name == r.names[0] || name == r.names[1])
}

// passedOver reports whether a client that was told last may stand at an id: a
// cursor moves past events that its connection is excluded from.
func (r *reader) passedOver(last, id position) bool {
	for id.offset > last.offset {
		if _, had := r.had[r.channel.excluded[r.numbers[id]]]; !had {
			return false
		}
		previous, known := r.previous(id)
		if !known {
			return id.offset == last.offset+1
		}
		id = previous
	}
	return id == last
}

// withoutExcluded is the first id after last on the way to id, if all between
// them are events that this connection is excluded from; else another.
func (r *reader) withoutExcluded(id, last position) position {
	for id.offset > last.offset+1 {
		if previous, known := r.previous(id); known {
			if !r.excludedFrom(r.numbers[previous]) {
				return id
			}
			id = previous
			continue
		}
		i := slices.IndexFunc(r.at[id.offset-1], func(p position) bool { return r.excludedFrom(r.numbers[p]) })
		if i < 0 {
			return id
		}
		id = r.at[id.offset-1][i]
	}
	return id
}

// passing judges an event without history: a connection is told it at most
// once, and not after an event that was made when this one had been taken. A
// client that goes on at another relay may be told it again: it has no
// position, and each relay hears it when it does.
func (r *reader) passing(n note) {
	r.settle(n)
	if n.number < 1 || n.number > len(r.channel.passing) {
		r.violate("an event without history that nobody published", fmt.Sprintf("a number up to %d", len(r.channel.passing)), n.String())
		return
	}
	p := r.channel.passing[n.number-1]
	if _, again := r.passed[n.number]; again && !r.keyLost(p, n.at) {
		r.violate("an event without history twice", "once", n.String())
	}
	r.passed[n.number] = struct{}{}
	if !p.acked.IsZero() && p.acked.Before(r.newestWas) && !r.keyLost(p, n.at) {
		r.violate("an event without history out of its place", "before what was made after it was taken", n.String())
	}
}

// keyLost reports whether a repeated request may have published twice.
func (r *reader) keyLost(p passing, until time.Time) bool {
	return p.tries > 1 && (r.truth.lostBetween(r.name, p.made, until) || r.truth.clock.rise(p.made, until) >= keyTTL-time.Second)
}

// known checks that the event is one that was published, under its own id.
func (r *reader) known(n note) {
	number, acked := r.channel.acked[n.id]
	if acked && number != n.number {
		r.violate("an id with another event's data", fmt.Sprintf("number %d", number), n.String())
	}
	if n.number < 1 || n.number > len(r.channel.made) {
		r.violate("an event that nobody published", fmt.Sprintf("a number up to %d", len(r.channel.made)), n.String())
	}
}

func (r *reader) reset(n note) {
	from := r.last
	if r.jumped {
		from = r.from
		if n.id != r.last {
			r.violate("a reset to another position than subscribed said", r.last.String(), n.String())
		}
	}
	r.jumped = false
	r.last = n.id
	// What comes after a reset is told anew: while a failover goes on, a
	// client can be set back to a master that has not heard the newest.
	clear(r.seen)
	r.check(from, n)
}

// settle sees to it that the reset that a subscribed announced has come.
func (r *reader) settle(n note) {
	if r.jumped {
		r.jumped = false
		r.violate("subscribed with recovered false was not followed by a reset", "a reset", n.String())
	}
}

// ended: a connection may break between a subscribed that says the client did
// not recover and the reset. The client has been told; the cause must be good.
func (r *reader) ended(n note) {
	if r.jumped {
		r.jumped = false
		n.id, n.text = r.last, "only recovered false"
		clear(r.seen)
		r.check(r.from, n)
	}
}

// check asks whether a client that stood at from had to be reset. A loss is no
// cause if what is known proves that nothing was lost to this client.
func (r *reader) check(from position, n note) {
	cause := ""
	trimmed := n.text == "trimmed" || n.kind == noteEnded
	switch {
	case !r.begun:
		// Nothing was promised before.
	case r.lost(from, n.at) && !r.descends(from, n.id):
		cause = "the store lost data"
	case r.lost(from, n.at) && r.lostBehind(from, n.id):
		cause = "the store lost what the cursor had passed"
	case trimmed && r.lost(from, n.at) && n.id.offset > from.offset:
		cause = "the store lost history" // and kept the position: they are two keys
	case trimmed && r.reached(from.offset+uint64(r.truth.historySize)+1, from, n.at):
		cause = "trimmed beyond the reader"
	case trimmed && r.deleted(from, n.at):
		cause = "deleted under the reader"
	case trimmed && r.reached(from.offset+1, from, n.at) && r.aged(from, n.at, historyTTL):
		cause = "expired under the reader"
	}
	if cause == "" {
		expected := r.after(from)
		if r.descends(from, n.id) {
			expected += "; nothing between was lost"
		}
		r.violate("reset without a cause", expected, n.String())
		cause = "none"
	}
	r.verdict.resets[fmt.Sprintf("%s: %s", n.text, cause)]++
}

// lostBehind reports whether the cursor of a client that was told last may have
// moved past an event that is no part of the history of now: one that excluded
// an earlier connection. Of its own connection a relay knows what it told.
func (r *reader) lostBehind(last, now position) bool {
	return r.carries && slices.ContainsFunc(r.ids, func(id position) bool {
		name := r.channel.excluded[r.numbers[id]]
		_, had := r.had[name]
		return id.offset > last.offset && had && name != r.names[0] && !r.descends(id, now)
	})
}

// end: everything is healed, so the last event of all must have come.
func (r *reader) end() {
	switch {
	case !r.begun:
		r.violate("never subscribed", "subscribed", "nothing")
	case r.last != r.channel.end:
		r.violate("the end of the channel never came", fmt.Sprintf("%v, number %d", r.channel.end, r.channel.acked[r.channel.end]), "last "+r.last.String())
	}
}

// after describes what should have come after a position.
func (r *reader) after(p position) string {
	for _, id := range r.at[p.offset+1] {
		if previous, known := r.previous(id); known && previous == p {
			if number, acked := r.channel.acked[id]; acked {
				return fmt.Sprintf("%v, number %d, acknowledged, after %v", id, number, p)
			}
			return fmt.Sprintf("%v after %v", id, p)
		}
	}
	return fmt.Sprintf("offset %d after %v", p.offset+1, p)
}

func (r *reader) violate(what, expected, seen string) {
	if r.told++; r.told > maxPerReader {
		r.verdict.suppressed++
		return
	}
	v := Violation{Client: r.client, Channel: r.name, What: what, Expected: expected, Seen: seen}
	for _, n := range r.story[max(0, len(r.story)-storyLength):] {
		v.Story = append(v.Story, n.String())
	}
	r.verdict.violations = append(r.verdict.violations, v)
}
