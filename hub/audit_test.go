package hub

import (
	"math/rand/v2"
	"testing"
	"time"
)

// However topics come and go, each waits for its turn no longer than a round
// of those that were there when it had the last one: who comes waits behind it.
func TestEachTopicHasItsTurn(t *testing.T) {
	for seed := range uint64(50) {
		dice := rand.New(rand.NewPCG(seed, 1))
		var a audits
		waits := make(map[*topic]int) // at most so many turns until its own
		var all []*topic
		add := func() {
			topic := new(topic)
			all = append(all, topic)
			a.add(topic)
			waits[topic] = len(all)
		}
		for range 20 {
			add()
		}
		for range 2000 {
			switch n := dice.IntN(8); {
			case n == 0:
				add()
			case n == 1 && len(all) > 0:
				i := dice.IntN(len(all))
				a.remove(all[i])
				delete(waits, all[i])
				all = append(all[:i], all[i+1:]...)
			case len(all) > 0:
				due := a.due(time.Second, time.Duration(len(all))*time.Second)
				if len(due) != 1 {
					t.Fatalf("seed %d: %d of %d topics are due, want 1", seed, len(due), len(all))
				}
				for topic := range waits {
					waits[topic]--
				}
				if waits[due[0]] < 0 {
					t.Fatalf("seed %d: a topic that has left is due, or one comes late", seed)
				}
				waits[due[0]] = len(all)
			}
			for _, wait := range waits {
				if wait <= 0 {
					t.Fatalf("seed %d: a topic was passed over", seed)
				}
			}
		}
	}
}
