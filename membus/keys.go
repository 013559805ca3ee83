package membus

import (
	"time"

	"relay/bus"
	"relay/event"
)

// keyring remembers idempotency keys. All of them live equally long, so the
// order in which they came is the order in which they go: forgetting costs
// what is forgotten, however many keys there are. Guarded by Bus.mu.
type keyring struct {
	used  map[keyName]usedKey
	queue []keyName // oldest first
}

// keyName is a key and the channel within which it counts.
type keyName struct{ channel, key string }

// usedKey is what a key was used for.
type usedKey struct {
	id    event.Position
	print bus.Fingerprint
	until time.Time
}

// remember notes a key that is not in use. until must not lie before that of
// any key remembered earlier.
func (k *keyring) remember(name keyName, use usedKey) {
	k.used[name] = use
	k.queue = append(k.queue, name)
}

// expire forgets the keys whose time is over.
func (k *keyring) expire(now time.Time) {
	n := 0
	for n < len(k.queue) && !now.Before(k.used[k.queue[n]].until) {
		delete(k.used, k.queue[n])
		n++
	}
	clear(k.queue[:n])
	k.queue = k.queue[n:]
	if len(k.queue) == 0 {
		k.queue = nil
	}
}
