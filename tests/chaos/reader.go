package chaos

import (
	"fmt"
	"time"
)

// reader judges one client on one channel.
type reader struct {
	truth   *truth
	channel *channelTruth
	chain   *chain
	verdict *verdict
	client  string
	name    string

	begun bool // it was told subscribed once
	last  position
	seen  map[position]struct{}
	// jumped is set between a subscribed that did not recover and its reset.
	jumped bool
	from   position // where the client stood before it

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
		case noteSubscribed:
			r.subscribed(n)
		case noteEvent:
			r.event(n)
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
	case *n.recovered && n.id != r.last:
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
	previous, known := r.chain.previous[n.id]
	switch {
	case again:
		r.violate("duplicate", r.after(last), n.String())
	case n.id.offset <= last.offset:
		r.violate("out of order, or another history without a reset", r.after(last), n.String())
	case n.id.offset > last.offset+1:
		r.violate(fmt.Sprintf("gap: %d events are missing", n.id.offset-last.offset-1), r.after(last), n.String())
	case known && previous != last:
		r.violate("an event of another history without a reset", r.after(last), fmt.Sprintf("%v, which follows %v", n, previous))
	}
}

// known checks that the event is one that was published, under its own id.
func (r *reader) known(n note) {
	number, acked := r.channel.acked[n.id]
	if acked && number != n.number {
		r.violate("an id with another event's data", fmt.Sprintf("number %d", number), n.String())
	}
	if n.number < 1 || n.number > r.channel.numbers {
		r.violate("an event that nobody published", fmt.Sprintf("a number up to %d", r.channel.numbers), n.String())
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
		n.text = "only recovered false"
		r.check(r.from, n)
	}
}

// check asks whether a client that stood at from had to be reset.
func (r *reader) check(from position, n note) {
	cause := ""
	switch head := r.chain.headAt(from, n.at); {
	case !r.begun:
		// Nothing was promised before.
	case r.truth.lostBetween(r.name, from.ms, n.at):
		cause = "the store lost data"
	case (n.text == "trimmed" || n.kind == noteEnded) && head > from.offset+uint64(r.truth.historySize):
		cause = "trimmed beyond the reader"
	}
	if cause == "" {
		r.violate("reset without a cause", r.after(from), n.String())
		cause = "none"
	}
	r.verdict.resets[fmt.Sprintf("%s: %s", n.text, cause)]++
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
	if id, known := r.chain.following[p]; known {
		if number, acked := r.channel.acked[id]; acked {
			return fmt.Sprintf("%v, number %d, acknowledged, after %v", id, number, p)
		}
		return fmt.Sprintf("%v after %v", id, p)
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

func timeOf(p position) time.Time { return time.UnixMilli(p.ms) }
