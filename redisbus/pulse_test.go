package redisbus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/tests/faultproxy"
	"relay/tests/redistest"
)

// While Redis does not answer, publishers do not queue up behind each other's
// timeouts: one asks, the others are refused.
func TestSilentRedisIsAskedByOneAtATime(t *testing.T) {
	t.Parallel()
	proxy := faultproxy.New(t, redistest.Start(t).Addr)
	b := open(t, redisURL("redis://"+proxy.Addr), "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	proxy.Freeze(faultproxy.Both)
	if r := publishWithin(t, b, time.Second); !errors.Is(r.Err, bus.ErrUnavailable) {
		t.Fatalf("published into a frozen network: %+v", r)
	}

	const publishers = 50
	answers := make(chan error, publishers)
	for range publishers {
		go func() { answers <- publishWithin(t, b, time.Minute).Err }()
	}
	atOnce := 0
	for range publishers {
		err := <-answers
		if !errors.Is(err, bus.ErrUnavailable) {
			t.Errorf("published into a frozen network: %v", err)
		} else if strings.Contains(err.Error(), "does not answer") {
			atOnce++
		}
	}
	if atOnce < publishers-1 {
		t.Errorf("%d of %d publishers were refused at once", atOnce, publishers)
	}
	proxy.Heal()
	publishAtLast(t, b, bustest.Number("c", 1))
}

// A replica refuses every write and may be promoted any moment, so publishers
// wait for it, but not for as long as they can.
func TestNobodyWaitsLongForAReplica(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	server.Do("REPLICAOF", "127.0.0.1", "1")
	for range 2 {
		if r := publishWithin(t, b, 10*time.Minute); r.Err == nil || !strings.Contains(r.Err.Error(), "READONLY") {
			t.Fatalf("published on a replica: %+v", r)
		}
	}
	awaitUnwritten(t, b, ear)
	server.Do("REPLICAOF", "NO", "ONE")
	bustest.AwaitHealthy(t, b)
	bustest.Publish(t, b, bustest.Number("c", 1))
}

// Whoever cannot write can still hear.
func TestFullMemoryIsUnhealthyAndNotDeaf(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	awaitUnwritten(t, b, ear)
	server.Do("CONFIG", "SET", "maxmemory", "0")
	bustest.AwaitHealthy(t, b)
	if n := ear.Confirmations("c"); n != 1 {
		t.Errorf("the channel was subscribed %d times; the connection was well", n)
	}
}

// awaitUnwritten waits until the bus says that Redis refuses to write, and
// checks that events without history are taken and heard all the same.
func awaitUnwritten(t *testing.T, b bus.Bus, ear *bustest.Ear) {
	t.Helper()
	awaitSick(t, b)
	if err := b.Healthy(); err == nil || !strings.Contains(err.Error(), "not taken by Redis") {
		t.Errorf("Healthy says %v", err)
	}
	p := bustest.Number("c", 7)
	p.Transient = true
	bustest.Publish(t, b, p)
	hears(t, ear, "c", 7)
}

func publishWithin(t *testing.T, b bus.Bus, patience time.Duration) bus.Receipt {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return b.Publish(ctx, []bus.Publication{bustest.Number("c", 0)})[0]
}
