package chaos

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// lineage is what is known of a channel's ids: when each was given, and which
// follows which. It does not rely on the store's clock, which may be stepped,
// nor on there being one history: an asynchronous failover forks it, and for
// as long as an old master does not know that it is old, both branches grow.
//
// What follows what was read in the store itself (each entry names its
// predecessor). The watch reads often and not always: a link that it did not
// see is taken from the clients' own logs, where several clients must agree.
type lineage struct {
	name     string
	truth    *truth
	channel  *channelTruth
	ids      []position // by the store's clock
	numbers  map[position]int
	seen     map[position]time.Time
	named    map[name][]position
	at       map[uint64][]position // by offset
	claimed  map[position]position
	disputed map[position]position // another predecessor that was claimed
}

// name is what an entry knows of its predecessor.
type name struct {
	offset uint64
	tag    [6]byte
}

func newLineage(t *truth, channel string, logs []*log) *lineage {
	c := t.of(channel)
	g := &lineage{
		name: channel, truth: t, channel: c, numbers: make(map[position]int), seen: maps.Clone(c.seen), named: make(map[name][]position),
		at: make(map[uint64][]position), claimed: make(map[position]position), disputed: make(map[position]position),
	}
	for _, l := range logs {
		g.listen(l)
	}
	for id, e := range c.stored {
		g.numbers[id] = e.number
	}
	maps.Copy(g.numbers, c.acked)
	g.ids = slices.SortedFunc(maps.Keys(g.seen), before)
	for _, id := range g.ids {
		key := name{id.offset, id.tag}
		g.named[key] = append(g.named[key], id)
		g.at[id.offset] = append(g.at[id.offset], id)
	}
	return g
}

// listen takes in what one client was told.
func (g *lineage) listen(l *log) {
	var last position
	for _, n := range l.notes {
		if n.channel != g.name || n.id == (position{}) {
			continue
		}
		if first, known := g.seen[n.id]; !known || n.at.Before(first) {
			g.seen[n.id] = n.at
		}
		if n.kind == noteEvent {
			g.numbers[n.id] = n.number
			if n.id.offset == last.offset+1 {
				if other, taken := g.claimed[n.id]; taken && other != last {
					g.disputed[n.id] = last
				} else {
					g.claimed[n.id] = last
				}
			}
		}
		last = n.id
	}
}

// previous is the position that an id follows, if that is known.
func (g *lineage) previous(id position) (position, bool) {
	if e, read := g.channel.stored[id]; read && id.offset > 0 {
		list := g.named[name{id.offset - 1, e.previous}]
		if len(list) == 1 {
			return list[0], true
		}
		return position{}, false
	}
	p, known := g.claimed[id]
	if _, doubtful := g.disputed[id]; doubtful {
		return position{}, false
	}
	return p, known
}

// follows reports whether an id may follow a position: nothing that is known
// speaks against it.
func (g *lineage) follows(id, last position) bool {
	if e, read := g.channel.stored[id]; read {
		return e.previous == last.tag
	}
	if _, doubtful := g.disputed[id]; doubtful {
		return false // two readers were told different things: one was wrong
	}
	p, known := g.claimed[id]
	return !known || p == last
}

// descends reports whether it is proven that nothing was lost on the way from
// one position to a later one.
func (g *lineage) descends(from, to position) bool {
	for to.offset > from.offset {
		previous, known := g.previous(to)
		if !known {
			return false
		}
		to = previous
	}
	return to == from
}

// given is the span in which an id was given.
func (g *lineage) given(id position) span {
	s := span{from: g.truth.clock.earliest(id.ms), to: g.seen[id]}
	if number := g.numbers[id]; number > 0 && number <= len(g.channel.made) && g.channel.made[number-1].After(s.from) {
		s.from = g.channel.made[number-1]
	}
	if len(g.truth.clock.steps) == 0 { // then the id tells it
		s.to = time.UnixMilli(id.ms).Add(clockSlack)
	}
	if s.to.Before(s.from) {
		s.to = s.from
	}
	return s
}

// reached reports whether the channel had come to an offset at a moment, in a
// history that had not ended when p was given.
func (g *lineage) reached(offset uint64, p position, at time.Time) bool {
	since := g.given(p).from.Add(-clockSlack)
	for _, id := range slices.Backward(g.ids) {
		if id.offset >= offset {
			if s := g.given(id); !s.from.After(at.Add(clockSlack)) && !s.to.Before(since) {
				return true
			}
		}
	}
	return false
}

// lost reports whether the store may have lost data after an id was given and
// before a moment.
func (g *lineage) lost(id position, until time.Time) bool {
	return g.truth.lostBetween(g.name, g.given(id).from, until) || g.aged(id, until, positionTTL)
}

// deleted reports whether history was deleted under a reader that stood at an
// id and was not at the head.
func (g *lineage) deleted(id position, until time.Time) bool {
	return slices.ContainsFunc(g.channel.deletions, func(d span) bool {
		return d.overlaps(g.given(id).from, until) && g.reached(id.offset+1, id, d.to)
	})
}

// aged reports whether what was written when an id was given, to be kept for a
// while, may have expired until a moment.
func (g *lineage) aged(id position, until time.Time, kept time.Duration) bool {
	return g.truth.clock.rise(g.given(id).from, until) >= kept-time.Second
}

// What relays keep, as they are configured here: by default.
const (
	historyTTL  = 10 * time.Minute
	keyTTL      = 10 * time.Minute
	positionTTL = 24 * time.Hour
)

// before orders positions by the store's clock, and in one millisecond by
// their number.
func before(a, b position) int {
	switch {
	case a.ms != b.ms:
		return int(min(1, max(-1, a.ms-b.ms)))
	case a.offset != b.offset && a.offset < b.offset:
		return -1
	case a.offset != b.offset:
		return 1
	}
	return strings.Compare(string(a.tag[:]), string(b.tag[:]))
}
