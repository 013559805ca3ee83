package redistest_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"relay/tests/redistest"
)

func TestSentinelFailsOver(t *testing.T) {
	g := redistest.StartSentinel(t)
	old := g.Master()
	if old != g.Servers[0] {
		t.Fatalf("%s is master at first", old.Addr)
	}
	old.Do("SET", "k", "v")
	old.Do("WAIT", "2", "5000")
	old.Stop()
	master := g.AwaitNewMaster(old)
	if got := master.Do("GET", "k"); got != "v" {
		t.Errorf("the new master has %q", got)
	}
	if got := g.Master(); got != master {
		t.Errorf("%s is master, or %s", got.Addr, master.Addr)
	}
}

func TestClusterMovesASlot(t *testing.T) {
	c := redistest.StartCluster(t, 2, 0)
	slot := c.SlotOf("k")
	from := c.Owner(slot)
	from.Do("SET", "k", "v")
	to := c.AddNode()
	c.MoveSlot(slot, to)
	if got := to.Do("GET", "k"); got != "v" {
		t.Errorf("the new owner has %q", got)
	}
	if got := from.Do("GET", "k"); !strings.HasPrefix(got, "-MOVED") {
		t.Errorf("the old owner says %q", got)
	}
}

func TestClusterFailsOver(t *testing.T) {
	c := redistest.StartCluster(t, 3, 1)
	slot := c.SlotOf("k")
	old := c.Owner(slot)
	old.Stop()
	if master := c.AwaitOwner(slot, old); master == nil || master == old {
		t.Errorf("the owner is %v", master)
	}
	c.AwaitOK()
}

// TestClockSteps: what expires by the clock does, and time that only runs
// forward goes on.
func TestClockSteps(t *testing.T) {
	s, clock := redistest.StartWithClock(t)
	away := func() time.Duration {
		seconds, err := strconv.ParseInt(s.Do("EVAL", "return redis.call('TIME')[1]", "0"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Until(time.Unix(seconds, 0)).Round(time.Hour)
	}
	s.Do("SET", "k", "v", "EX", "5000")
	for _, d := range []time.Duration{0, time.Hour, -2 * time.Hour, 0} {
		clock.Set(d)
		if got := away(); got != d {
			t.Errorf("the server's clock is ahead by %v, want %v", got, d)
		}
	}
	if got := s.Do("GET", "k"); got != "v" {
		t.Errorf("got %q before it expires", got)
	}
	clock.Set(2 * time.Hour)
	if got := s.Do("GET", "k"); got != "$-1" {
		t.Errorf("got %q after it expired", got)
	}
	s.Stop()
	s.Restart()
	if got := away(); got != 2*time.Hour {
		t.Errorf("after a restart the clock is ahead by %v", got)
	}
}
