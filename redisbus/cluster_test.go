package redisbus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/tests/redistest"
)

func TestContractOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	n := 0
	bustest.Run(t, func(tb testing.TB, keep bus.Keep) (func() bus.Bus, bool) {
		n++
		prefix := fmt.Sprintf("test%d:", n)
		return func() bus.Bus { return open(tb, cluster, prefix, keep) }, true
	})
}

// channelsOf returns a channel on each of the cluster's masters.
func channelsOf(t *testing.T, cluster *redistest.Cluster, masters int) map[*redistest.Server]string {
	t.Helper()
	found := make(map[*redistest.Server]string)
	for n := 0; len(found) < masters; n++ {
		channel := fmt.Sprintf("c%d", n)
		if owner := cluster.Owner(cluster.SlotOf("relay:" + channel)); found[owner] == "" {
			found[owner] = channel
		}
	}
	return found
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 1)
	b := open(t, cluster, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	channels := channelsOf(t, cluster, 3)
	for _, c := range channels {
		ear.Listen(t, b, c)
		bustest.Publish(t, b, bustest.Number(c, 1))
	}
	victim := cluster.Owner(cluster.SlotOf("relay:c0"))
	victim.Stop()
	for owner, c := range channels {
		if owner == victim {
			continue
		}
		quick := bustest.Number(c, 2)
		quick.Transient = true
		publishAtLast(t, b, quick)
		hears(t, ear, c, 2)
	}
	cluster.AwaitOwner(cluster.SlotOf("relay:c0"), victim)
	ear.AwaitConfirmations(t, channels[victim], 2)
	bustest.AwaitHealthy(t, b)
	for owner, c := range channels {
		publishAtLast(t, b, bustest.Number(c, 3))
		hears(t, ear, c, 3)
		if n := ear.Confirmations(c); owner != victim && n != 1 {
			t.Errorf("channel %s, of a node that was well, was subscribed %d times", c, n)
		}
	}
}

// A replica is made master while its master lives: politely, when it has caught
// up, or by force, without asking anybody.
func TestClusterReplicaIsPromoted(t *testing.T) {
	t.Parallel()
	for name, how := range map[string][]string{
		"politely": {"CLUSTER", "FAILOVER"},
		"by force": {"CLUSTER", "FAILOVER", "TAKEOVER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, 3, 1)
			b := open(t, cluster, "relay:", bustest.Keep)
			ear := bustest.NewEar(b)
			bustest.AwaitHealthy(t, b)
			channels := channelsOf(t, cluster, 3)
			for _, c := range channels {
				ear.Listen(t, b, c)
				bustest.Publish(t, b, bustest.Number(c, 1))
			}
			slot := cluster.SlotOf("relay:c0")
			old := cluster.Owner(slot)
			old.Do("WAIT", "1", "10000")
			if reply := cluster.ReplicaOf(old).Do(how...); reply != "+OK" {
				t.Fatal(reply)
			}
			cluster.AwaitOwner(slot, old)
			ear.AwaitConfirmations(t, channels[old], 2)
			bustest.AwaitHealthy(t, b)
			for owner, c := range channels {
				quick := bustest.Number(c, 2)
				quick.Transient = true
				publishAtLast(t, b, quick)
				hears(t, ear, c, 2)
				publishAtLast(t, b, bustest.Number(c, 3))
				hears(t, ear, c, 3)
				if n := ear.Confirmations(c); owner != old && n != 1 {
					t.Errorf("channel %s, of another node, was subscribed %d times", c, n)
				}
				page := bustest.Resume(t, b, c, bus.FromStart(), 10)
				if got := bustest.Numbers(t, page.Events); !slices.Equal(got, []int{1, 3}) {
					t.Errorf("history of %s holds %v", c, got)
				}
			}
		})
	}
}

// A node comes, serves slots, gives them back, and leaves for good.
func TestClusterNodeComesAndGoes(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	b := open(t, cluster, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	slot := cluster.SlotOf("relay:c")
	home := cluster.Owner(slot)
	for round := range 2 {
		guest := cluster.AddNode()
		for n, to := range []*redistest.Server{guest, home} {
			before := ear.Confirmations("c")
			cluster.MoveSlot(slot, to)
			ear.AwaitConfirmations(t, "c", before+1)
			bustest.AwaitHealthy(t, b)
			number := 10*round + n + 1
			publishAtLast(t, b, bustest.Number("c", number))
			hears(t, ear, "c", number)
		}
		await(t, "the subscriber connection to the guest to end", func() bool {
			list, err := guest.Text("CLIENT", "LIST", "TYPE", "pubsub")
			return err == nil && list == ""
		})
		cluster.RemoveNode(guest)
		bustest.AwaitHealthy(t, b)
		quick := bustest.Number("c", 10*round+9)
		quick.Transient = true
		// At last: until the driver looks again, it may know the slot's last
		// owner but one.
		publishAtLast(t, b, quick)
		hears(t, ear, "c", 10*round+9)
	}
}

// That the server is a Cluster's node is for the server to say: its URL has
// one host, and no other.
func TestClusterBehindOneHost(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	b := open(t, cluster.Nodes[0], "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	for _, c := range channelsOf(t, cluster, 3) {
		ear.Listen(t, b, c)
		bustest.Publish(t, b, bustest.Number(c, 1))
		ear.Heard(t, c, 1)
	}
}

// While a slot moves, away and back, nothing that was acknowledged may be
// missing in history, and the relay must hear when the move is over.
func TestSlotMovesWhilePublishing(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	b := open(t, cluster, "relay:", bus.Everywhere(bus.Retention{Size: 1e6, TTL: time.Hour, PositionTTL: time.Hour}))
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")

	ctx, stop := context.WithCancel(t.Context())
	var taken []int
	var publisher sync.WaitGroup
	defer publisher.Wait()
	defer stop()
	publisher.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			if r := b.Publish(ctx, []bus.Publication{bustest.Number("c", n)})[0]; r.Err == nil {
				taken = append(taken, n)
			} else if ctx.Err() == nil {
				t.Errorf("event %d: %v", n, r.Err)
			}
		}
	})
	ear.Heard(t, "c", 10)
	slot := cluster.SlotOf("relay:c")
	home := cluster.Owner(slot)
	away := cluster.Nodes[0]
	if away == home {
		away = cluster.Nodes[1]
	}
	for i, to := range []*redistest.Server{away, home, cluster.AddNode()} {
		cluster.MoveSlot(slot, to)
		ear.AwaitConfirmations(t, "c", i+2)
		before := len(ear.Heard(t, "c", 1))
		ear.Heard(t, "c", before+10)
	}
	stop()
	publisher.Wait()

	page := bustest.Resume(t, b, "c", bus.FromStart(), 1e6)
	kept := bustest.Numbers(t, page.Events)
	for _, n := range taken {
		if _, found := slices.BinarySearch(kept, n); !found {
			t.Errorf("event %d was taken and is not in history", n)
		}
	}
	if len(taken) < 30 {
		t.Errorf("only %d events were published", len(taken))
	}
	heard := ear.Heard(t, "c", 1)
	for i := 1; i < len(heard); i++ {
		if heard[i].Event.ID.Offset <= heard[i-1].Event.ID.Offset {
			t.Fatalf("heard %v after %v", heard[i].Event.ID, heard[i-1].Event.ID)
		}
	}
}

func TestScriptsAreForgottenInCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	b := open(t, cluster, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	channels := channelsOf(t, cluster, 2)
	for n := range 3 {
		var batch []bus.Publication
		for node, c := range channels {
			if n == 0 {
				ear.Listen(t, b, c)
			}
			node.Do("SCRIPT", "FLUSH")
			batch = append(batch, bustest.Number(c, n))
		}
		bustest.Publish(t, b, batch...)
		for _, c := range channels {
			ear.Heard(t, c, n+1)
		}
	}
}

func TestDocumentedPermissionsSufficeInCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	for _, node := range cluster.Nodes {
		permitOnlyDocumented(t, node)
	}
	b := open(t, as(cluster, "relay"), "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	quick := bustest.Number("c", 2)
	quick.Transient = true
	ear.Listen(t, b, "c")
	bustest.Publish(t, b, bustest.Number("c", 1))
	bustest.Publish(t, b, quick)
	ear.Heard(t, "c", 2)
	b.Unlisten("c")
	ear.Listen(t, b, "d")
	for _, node := range cluster.Nodes {
		if out := node.Do("ACL", "LOG"); out != "*0" {
			t.Errorf("Redis has refused something: ACL LOG %s", out)
		}
	}
}
