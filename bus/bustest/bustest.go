// Package bustest is the test that every bus must pass.
package bustest

import (
	"testing"
	"time"

	"relay/bus"
)

// Open makes a bus with nothing in it yet, for one test. Several calls within
// one test return buses that see each other's events, if the kind of bus can
// do that; else shared is false.
type Open func(tb testing.TB, keep bus.Keep) (open func() bus.Bus, shared bool)

// Keep is what most cases keep of every channel.
var Keep = keepLast(100)

func keepLast(size int) bus.Keep {
	return bus.Everywhere(bus.Retention{Size: size, TTL: time.Minute, PositionTTL: time.Hour})
}

// Run runs the contract.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"publish and hear in order", testOrder},
		{"positions chain", testChain},
		{"positions never step back", testMonotonic},
		{"transient events have no position", testTransient},
		{"no history at all", testNoHistory},
		{"idempotency keys", testKeys},
		{"resume", testResume},
		{"resume in pages", testPages},
		{"history is trimmed", testTrim},
		{"each channel its own history", testKeep},
		{"history is deleted", testDelete},
		{"heads", testHeads},
		{"channels do not mix", testChannels},
		{"odd channel names", testNames},
		{"exclude travels", testExclude},
		{"the time of posting travels", testPosted},
		{"data comes as it was", testData},
		{"unlisten", testUnlisten},
		{"many publishers, one order", testConcurrent},
		{"two buses", testTwo},
		{"closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

func start(t *testing.T, open Open, keep bus.Keep) (bus.Bus, *Ear) {
	t.Helper()
	next, _ := open(t, keep)
	b := next()
	ear := NewEar(b)
	AwaitHealthy(t, b)
	return b, ear
}
