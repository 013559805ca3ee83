package redisbus_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/tests/redistest"
)

func TestContractOnSentinel(t *testing.T) {
	t.Parallel()
	group := redistest.StartSentinel(t)
	n := 0
	bustest.Run(t, func(tb testing.TB, keep bus.Keep) (func() bus.Bus, bool) {
		n++
		prefix := fmt.Sprintf("test%d:", n)
		return func() bus.Bus { return open(tb, group, prefix, keep) }, true
	})
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*redistest.Server){
		"master killed": (*redistest.Server).Stop,
		"master paused": (*redistest.Server).Pause,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group := redistest.StartSentinel(t)
			b := open(t, group, "relay:", bustest.Keep)
			ear := bustest.NewEar(b)
			bustest.AwaitHealthy(t, b)
			ear.Listen(t, b, "c")
			bustest.Publish(t, b, bustest.Number("c", 1))
			ear.Heard(t, "c", 1)

			old := group.Master()
			fail(old)
			group.AwaitNewMaster(old)
			ear.AwaitConfirmations(t, "c", 2)
			bustest.AwaitHealthy(t, b)
			publishAtLast(t, b, bustest.Number("c", 2))
			quick := bustest.Number("c", 3)
			quick.Transient = true
			publishAtLast(t, b, quick)
			hears(t, ear, "c", 3)
		})
	}
}

// publishAtLast publishes again until the bus takes it.
func publishAtLast(tb testing.TB, b bus.Bus, p bus.Publication) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Second)
		r := b.Publish(ctx, []bus.Publication{p})[0]
		cancel()
		if r.Err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("not taken for a minute: %v", r.Err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// hears waits until a channel's events with a number have come.
func hears(tb testing.TB, ear *bustest.Ear, channel string, number int) {
	tb.Helper()
	for n := 1; ; n++ {
		list := bustest.Numbers(tb, ear.Heard(tb, channel, n))
		if slices.Contains(list, number) {
			return
		}
		n = len(list)
	}
}
