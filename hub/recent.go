package hub

import "relay/event"

// recentTags remembers the last events applied, so that one heard twice is
// known for what it is without asking history.
type recentTags struct{ ring *[32]event.Tag }

func (r *recentTags) add(p event.Position) {
	if r.ring == nil {
		r.ring = new([32]event.Tag)
	}
	r.ring[p.Offset%uint64(len(r.ring))] = p.Tag
}

func (r *recentTags) has(p event.Position) bool {
	return r.ring != nil && r.ring[p.Offset%uint64(len(r.ring))] == p.Tag
}
