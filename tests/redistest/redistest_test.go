package redistest_test

import (
	"strings"
	"testing"

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
