package chaos

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"relay/tests/harness"
	"relay/tests/redistest"
)

// cluster is three masters with a replica each, and a node that joins and
// leaves. Replication is asynchronous and nothing is on disk, as in sentinel.
type cluster struct {
	redis *redistest.Cluster
	spare *redistest.Server // stands beside the cluster, unless it has joined
	slots map[string]int    // of channels
}

const (
	masters           = 3
	replicasPerMaster = 1
)

func newCluster(h *harness.Harness, s shape) *cluster {
	c := &cluster{redis: redistest.StartCluster(h, masters, replicasPerMaster, s.redisArgs("")...), slots: make(map[string]int)}
	for i := range s.channels {
		c.slots[channelName(i)] = c.redis.SlotOf("relay:" + channelName(i))
	}
	c.spare = c.redis.AddNode()
	c.forget(try(c.spare, "CLUSTER", "MYID"))
	return c
}

func (c *cluster) doors() []string {
	var addrs []string
	for _, node := range c.redis.Nodes {
		addrs = append(addrs, node.Addr)
	}
	return addrs
}

func (c *cluster) url(to func(string) string) string {
	return translated(c.redis.URL(), c.doors(), to)
}

func (c *cluster) data() []*redistest.Server { return c.redis.Nodes }

func (c *cluster) shards() map[string]int { return c.slots }

func (c *cluster) announces() string { return "SPUBLISH" }

func (c *cluster) serving(channel string) *redistest.Server { return c.redis.Owner(c.slots[channel]) }

func (c *cluster) faults() []faultKind {
	return []faultKind{nodeKill, masterKill, masterStop, clusterFailover, clusterTakeover, clusterMove, clusterMoveLong, clusterJoin}
}

func (c *cluster) harm(f fault, r *run) {
	channel := channelName(f.channel)
	master := c.serving(channel)
	if master == nil {
		return
	}
	switch f.kind {
	case nodeKill, masterKill:
		if f.kind == nodeKill {
			master = c.redis.Nodes[f.relay%(masters*(1+replicasPerMaster))]
		}
		master.Stop()
		time.Sleep(f.lasts)
		if f.kind == masterKill {
			c.awaitOther(channel, master)
		}
		master.Restart()
	case masterStop:
		master.Signal(sigStop)
		c.awaitOther(channel, master)
		time.Sleep(f.lasts)
		master.Signal(sigCont)
	case clusterFailover:
		// The master stops writing and hands over when the replica has all.
		if heir := c.replicaOf(master); heir != nil {
			defer r.watch.harmless(heir)()
			try(heir, "CLUSTER", "FAILOVER")
			c.awaitOther(channel, master)
		}
	case clusterTakeover:
		if heir := c.replicaOf(master); heir != nil {
			try(heir, "CLUSTER", "FAILOVER", "TAKEOVER")
			c.awaitOther(channel, master)
		}
	case clusterMove, clusterMoveLong, clusterJoin:
		begin := time.Now()
		if !c.harmSlot(f, c.slots[channel], master) {
			// What was moved is where nobody looks for it, or took another's place.
			r.truth.lost(channel, begin)
		}
	}
}

// harmSlot moves a slot, and reports whether all went well.
func (c *cluster) harmSlot(f fault, slot int, owner *redistest.Server) (well bool) {
	switch f.kind {
	case clusterMove:
		return c.move(slot, owner, c.otherMaster(owner), 0)
	case clusterMoveLong:
		return c.move(slot, owner, c.otherMaster(owner), f.lasts)
	}
	return c.joinAndLeave(slot, owner, f.lasts)
}

// awaitOther waits until another node serves a channel, if ever one does.
func (c *cluster) awaitOther(channel string, old *redistest.Server) {
	_ = eventually("a failover", func() bool {
		now := c.serving(channel)
		return now != nil && now != old
	})
}

// replicaOf is a replica that follows a master closely.
func (c *cluster) replicaOf(master *redistest.Server) *redistest.Server {
	id := try(master, "CLUSTER", "MYID")
	for _, node := range c.redis.Nodes {
		nodes, err := node.Text("CLUSTER", "NODES")
		if err != nil {
			continue
		}
		for line := range strings.Lines(nodes) {
			if strings.Contains(line, "myself,slave "+id) && says(node, "master_link_status:up", "INFO", "replication") {
				return node
			}
		}
	}
	return nil
}

// otherMaster is another of the nodes that serve slots.
func (c *cluster) otherMaster(not *redistest.Server) *redistest.Server {
	for i := range masters {
		if owner := c.redis.Owner(i * redistest.Slots / masters); owner != nil && owner != not {
			return owner
		}
	}
	return nil
}

// move moves a slot while the cluster works on, as redis-cli --cluster reshard
// does. The move stays open for a while after half of its keys have gone: what
// is asked for then stands in two places. It reports whether all went well: a
// failover in its middle can leave both sides with a key, of which one is given
// up; and when a node stays away for too long, it is broken off.
func (c *cluster) move(slot int, from, to *redistest.Server, open time.Duration) (well bool) {
	if to == nil {
		return true
	}
	number, fromID, toID := strconv.Itoa(slot), try(from, "CLUSTER", "MYID"), try(to, "CLUSTER", "MYID")
	if try(to, "CLUSTER", "SETSLOT", number, "IMPORTING", fromID) != "+OK" ||
		try(from, "CLUSTER", "SETSLOT", number, "MIGRATING", toID) != "+OK" {
		c.endMove(number, []string{"STABLE"}, to, from)
		return true
	}
	_, replaced := c.moveKeys(number, from, to, 1)
	time.Sleep(open)
	all, again := c.moveKeys(number, from, to, -1)
	if !all {
		c.endMove(number, []string{"STABLE"}, to, from)
		return false
	}
	// The target first: else, for a moment, nobody would serve it.
	c.endMove(number, []string{"NODE", toID}, to, from)
	return eventually("the end of a move", func() bool {
		return !slices.ContainsFunc(c.members(), func(node *redistest.Server) bool { return c.ownerBy(node, slot) != to.Addr })
	}) == nil && !replaced && !again
}

// endMove tells nodes how a move has ended. One that is busy with another fault
// hears of it later; else it would believe in the move for ever.
func (c *cluster) endMove(slot string, how []string, nodes ...*redistest.Server) {
	for _, node := range nodes {
		_ = eventually("a node to take in the end of a move", func() bool {
			reply := try(node, append([]string{"CLUSTER", "SETSLOT", slot}, how...)...)
			return reply == "+OK" || strings.HasPrefix(reply, "-")
		})
	}
}

// moveKeys carries so many of a slot's keys over, or all of them (-1). all: none
// is left; replaced: the target had one of them already, which is gone.
func (c *cluster) moveKeys(slot string, from, to *redistest.Server, most int) (all, replaced bool) {
	all = eventually("keys to move", func() bool {
		for ; most != 0; most-- {
			// A key may be gone meanwhile, or come; then there is another round.
			key, err := from.Text("CLUSTER", "GETKEYSINSLOT", slot, "1")
			if err != nil || key == "" {
				break
			}
			reply := try(from, "MIGRATE", "127.0.0.1", portOf(to.Addr), key, "0", "5000")
			if strings.HasPrefix(reply, "-BUSYKEY") {
				replaced = true
				reply = try(from, "MIGRATE", "127.0.0.1", portOf(to.Addr), key, "0", "5000", "REPLACE")
			}
			if reply != "+OK" && reply != "+NOKEY" {
				return false // another time, or never: the node may be gone
			}
		}
		return most == 0 || try(from, "CLUSTER", "COUNTKEYSINSLOT", slot) == ":0"
	}) == nil
	return all, replaced
}

// ownerBy is the address of a slot's owner, by the word of one node.
func (c *cluster) ownerBy(node *redistest.Server, slot int) string {
	nodes, err := node.Text("CLUSTER", "NODES")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(nodes) {
		if fields := strings.Fields(line); len(fields) > 8 && holds(fields[8:], slot) && !strings.Contains(fields[2], "fail") {
			addr, _, _ := strings.Cut(fields[1], "@")
			return addr
		}
	}
	return ""
}

// holds reports whether a node's slots, as CLUSTER NODES lists them, have one.
func holds(ranges []string, slot int) bool {
	return slices.ContainsFunc(ranges, func(text string) bool {
		first, last, isRange := strings.Cut(text, "-")
		if !isRange {
			last = first
		}
		a, err1 := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		return err1 == nil && err2 == nil && a <= slot && slot <= b // else a slot on the move
	})
}

// joinAndLeave lets the spare node join, serve a slot for a while, hand it
// back, and be forgotten.
func (c *cluster) joinAndLeave(slot int, owner *redistest.Server, lasts time.Duration) (well bool) {
	if try(c.spare, "CLUSTER", "MEET", "127.0.0.1", portOf(owner.Addr), busPort(owner)) != "+OK" {
		return true
	}
	id := try(c.spare, "CLUSTER", "MYID")
	_ = eventually("all to know of the new node", func() bool {
		return !slices.ContainsFunc(c.redis.Nodes, func(node *redistest.Server) bool { return !says(node, id, "CLUSTER", "NODES") }) &&
			says(c.spare, "cluster_state:ok", "CLUSTER", "INFO")
	})
	well = c.move(slot, owner, c.spare, 0)
	time.Sleep(lasts)
	well = c.move(slot, c.spare, owner, 0) && well
	if c.ownerBy(c.spare, slot) == c.spare.Addr {
		return well // it keeps it; the next one to move the slot takes it away
	}
	c.forget(id)
	return well
}

// forget lets the spare node leave. It gets another id: the others would not
// let this one come back for a minute.
func (c *cluster) forget(id string) {
	for _, node := range c.members() {
		try(node, "CLUSTER", "FORGET", id)
	}
	try(c.spare, "CLUSTER", "RESET", "HARD")
}

// busPort is the port on which the other nodes reach one.
func busPort(node *redistest.Server) string {
	nodes, _ := node.Text("CLUSTER", "NODES")
	for line := range strings.Lines(nodes) {
		if strings.Contains(line, "myself") {
			_, rest, _ := strings.Cut(strings.Fields(line)[1], "@")
			port, _, _ := strings.Cut(rest, ",")
			return port
		}
	}
	return "0"
}

// repair closes moves that faults have broken off for good, and gives slots
// that no node knows to be its own to one. A failover in the middle of a move
// can leave both sides with a key: then no move of it ends by itself, and
// whatever is published there is refused until somebody chooses.
func (c *cluster) repair() bool {
	open := c.openSlots()
	if len(open) == 0 && c.whole() {
		return false
	}
	for slot := range open {
		c.endMove(slot, []string{"STABLE"}, c.members()...)
	}
	for _, node := range c.members() {
		fix := exec.Command("redis-cli", "--cluster", "fix", node.Addr, "--cluster-yes", "--cluster-replace")
		fix.Stdin = strings.NewReader("yes\n")
		if fix.Run() == nil {
			break
		}
	}
	return true
}

// openSlots are the slots that some node believes to be on the move.
func (c *cluster) openSlots() map[string]bool {
	open := make(map[string]bool)
	for _, node := range c.members() {
		nodes, _ := node.Text("CLUSTER", "NODES")
		for word := range strings.FieldsSeq(nodes) {
			slot, _, isOpen := strings.Cut(strings.TrimPrefix(word, "["), "-")
			if isOpen && strings.HasPrefix(word, "[") {
				open[slot] = true
			}
		}
	}
	return open
}

// members are the nodes but for the one that comes and goes.
func (c *cluster) members() []*redistest.Server {
	return slices.DeleteFunc(slices.Clone(c.redis.Nodes), func(node *redistest.Server) bool { return node == c.spare })
}

// settle waits until all nodes see the cluster whole, and each master has its
// replica.
func (c *cluster) settle() error { return eventually("a whole cluster", c.whole) }

func (c *cluster) whole() bool {
	following := 0
	for _, node := range c.members() {
		if !says(node, "cluster_state:ok", "CLUSTER", "INFO") {
			return false
		}
		if says(node, "role:slave", "INFO", "replication") && says(node, "master_link_status:up", "INFO", "replication") {
			following++
		}
	}
	return following == masters*replicasPerMaster
}
