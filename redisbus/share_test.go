package redisbus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/redisbus"
	"relay/tests/redistest"
)

func TestShare(t *testing.T) {
	server := redistest.Start(t)
	share := func(b bus.Bus, proposal string) string {
		t.Helper()
		text, err := b.(*redisbus.Bus).Share(t.Context(), "secret", proposal, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	one, two := open(t, server, "relay:", bustest.Keep), open(t, server, "relay:", bustest.Keep)
	for _, b := range []bus.Bus{one, two} {
		bustest.NewEar(b)
		bustest.AwaitHealthy(t, b)
	}
	if a, b := share(one, "first"), share(two, "second"); a != "first" || b != "first" {
		t.Errorf("they share %q and %q", a, b)
	}
	if got := server.Do("PTTL", "relay:_secret"); strings.HasPrefix(got, ":-") {
		t.Errorf("it lives for ever (PTTL %s)", got)
	}
	server.Do("FLUSHALL")
	if b, a := share(two, "second"), share(one, "first"); a != "second" || b != "second" {
		t.Errorf("after a flush they share %q and %q", a, b)
	}
}

func TestShareWithoutRedis(t *testing.T) {
	b := open(t, redisURL("redis://127.0.0.1:1"), "relay:", bustest.Keep)
	if text, err := b.(*redisbus.Bus).Share(t.Context(), "secret", "first", time.Hour); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("got %q, %v", text, err)
	}
}
