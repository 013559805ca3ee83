package redisbus_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/redisbus"
	"relay/tests/faultproxy"
	"relay/tests/redistest"
)

// A network that drops one direction leaves a connection that looks alive.
func TestHalfOpenConnection(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]faultproxy.Direction{
		"nothing comes": faultproxy.ToClient, "nothing goes": faultproxy.ToServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			proxy := faultproxy.New(t, server.Addr)
			b := open(t, redisURL("redis://"+proxy.Addr), "relay:", bustest.Keep)
			ear := bustest.NewEar(b)
			bustest.AwaitHealthy(t, b)
			ear.Listen(t, b, "c")
			proxy.Freeze(d)
			awaitSick(t, b)
			refusesTransient(t, b)
			proxy.Heal()
			ear.AwaitConfirmations(t, "c", 2)
			bustest.AwaitHealthy(t, b)
			publishAtLast(t, b, bustest.Number("c", 1))
			hears(t, ear, "c", 1)
		})
	}
}

// The address is moved to another server and the old one lives on: the
// subscriber connection answers every ping and hears nothing of what is
// published. Only the canary can tell.
func TestLeftBehindWithAServerThatLives(t *testing.T) {
	t.Parallel()
	first, second := redistest.Start(t), redistest.Start(t)
	proxy := faultproxy.New(t, first.Addr)
	b := open(t, redisURL("redis://"+proxy.Addr), "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	proxy.Retarget(second.Addr)
	first.Do("CLIENT", "KILL", "TYPE", "normal")
	publishAtLast(t, b, bustest.Number("c", 1))
	if second.Do("XLEN", "relay:c") != ":1" {
		t.Fatal("published to the old server")
	}
	begin := time.Now()
	ear.AwaitConfirmations(t, "c", 2)
	if took := time.Since(begin); took > 40*time.Second {
		t.Errorf("found after %v", took)
	}
	bustest.AwaitHealthy(t, b)
	bustest.Publish(t, b, bustest.Number("c", 2))
	hears(t, ear, "c", 2)
}

// By their own clocks, a relay and its Redis may be an hour apart.
func TestRedisClockAhead(t *testing.T) {
	t.Parallel()
	server, clock := redistest.StartWithClock(t)
	clock.Set(time.Hour)
	first, second := open(t, server, "relay:", bustest.Keep), open(t, server, "relay:", bustest.Keep)
	bustest.NewEar(first)
	ear := bustest.NewEar(second)
	bustest.AwaitHealthy(t, first)
	bustest.AwaitHealthy(t, second)
	for _, b := range []bus.Bus{first, second} {
		ahead, known := b.(*redisbus.Bus).ClockAhead()
		if off := ahead - time.Hour; !known || off.Abs() > 10*time.Second {
			t.Errorf("ahead by %v, %t", ahead, known)
		}
	}
	ear.Listen(t, second, "c")
	p := bustest.Number("c", 1)
	p.Posted = time.Now()
	bustest.Publish(t, first, p)
	if heard := ear.Heard(t, "c", 1)[0].Event; heard.Posted.Sub(p.Posted).Abs() > 10*time.Second {
		t.Errorf("posted at %v, heard to be from %v", p.Posted, heard.Posted)
	}
	for _, step := range []time.Duration{-time.Hour, 2 * time.Hour} {
		clock.Set(step)
		expectAheadSoon(t, first.(*redisbus.Bus), step)
	}
}

// expectAheadSoon: a canary comes every few seconds.
func expectAheadSoon(t *testing.T, b *redisbus.Bus, want time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		ahead, known := b.ClockAhead()
		if off := ahead - want; known && off.Abs() < 10*time.Second {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute ahead by %v, %t; want %v", ahead, known, want)
		}
	}
}

type canaries struct{ back atomic.Int64 }

func (c *canaries) CanaryReturned(time.Duration) { c.back.Add(1) }

func TestCanaryIsCounted(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	counted := new(canaries)
	b, err := redisbus.Open(redisbus.Options{
		URL: cluster.URL(), Prefix: "relay:", Retention: bustest.Keep, MaxEventBytes: 1 << 10, Metrics: counted,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if b.CanaryAge() <= 0 {
		t.Error("a canary is back before the start")
	}
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	if n := counted.back.Load(); n < 2 {
		t.Errorf("%d canaries are back, and there are two connections", n)
	}
	if age := b.CanaryAge(); age <= 0 || age > 15*time.Second {
		t.Errorf("healthy with a canary of %v", age)
	}
}

// awaitSick waits until the bus says that it is not well.
func awaitSick(tb testing.TB, b bus.Bus) {
	tb.Helper()
	await(tb, "the bus to be sick", func() bool { return b.Healthy() != nil })
}

func refusesTransient(tb testing.TB, b bus.Bus) {
	tb.Helper()
	p := bustest.Number("c", 0)
	p.Transient = true
	ctx, cancel := context.WithTimeout(tb.Context(), time.Second)
	defer cancel()
	if r := b.Publish(ctx, []bus.Publication{p})[0]; !errors.Is(r.Err, bus.ErrUnavailable) {
		tb.Errorf("an event without history while deaf: %+v", r)
	}
}
