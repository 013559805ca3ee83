package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Cluster is a Redis Cluster.
type Cluster struct {
	Nodes []*Server

	tb   testing.TB
	args []string
	tls  *TLS // nil for none
}

// Slots is how many there are in every Cluster.
const Slots = 1 << 14

// StartCluster runs masters, each with so many replicas, until the test ends.
// A node that was silent for a second is held for dead. It returns when all
// agree and the cluster takes commands. Nodes get the extra arguments.
func StartCluster(tb testing.TB, masters, replicas int, args ...string) *Cluster {
	tb.Helper()
	c := &Cluster{tb: tb, args: args}
	c.form(masters, replicas)
	return c
}

func (c *Cluster) form(masters, replicas int) {
	c.tb.Helper()
	for range masters * (1 + replicas) {
		c.start()
	}
	for i := range masters {
		c.Nodes[i].Do("CLUSTER", "ADDSLOTSRANGE",
			strconv.Itoa(i*Slots/masters), strconv.Itoa((i+1)*Slots/masters-1))
		// Else all would begin with the same and disagree for a while.
		c.Nodes[i].Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, n := range c.Nodes[1:] {
		c.meet(n)
	}
	c.awaitKnown()
	for i, n := range c.Nodes[masters:] {
		n.Do("CLUSTER", "REPLICATE", c.Nodes[i%masters].id())
	}
	c.AwaitOK()
	for _, n := range c.Nodes[masters:] {
		await(c.tb, "replicas to follow", func() bool { return n.says("INFO replication", "role:slave", "master_link_status:up") })
	}
	// A replica whose master does not know of it yet is not elected.
	for _, n := range c.Nodes {
		await(c.tb, "all nodes to know of the replicas", func() bool {
			nodes, err := n.Text("CLUSTER", "NODES")
			return err == nil && strings.Count(nodes, "slave") == masters*replicas
		})
	}
}

func (c *Cluster) start() *Server {
	c.tb.Helper()
	args := append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
		"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0",
		"--dir", c.tb.TempDir(), // in which a node that is restarted finds who it is
		"--cluster-config-file", "nodes.conf", "--cluster-port", FreeAddr(c.tb)[len("127.0.0.1:"):],
	}, c.args...)
	var s *Server
	if c.tls == nil {
		s = Start(c.tb, args...)
	} else {
		s = StartTLS(c.tb, c.tls, append(args, "--tls-cluster", "yes")...)
	}
	c.Nodes = append(c.Nodes, s)
	return s
}

func (c *Cluster) meet(n *Server) {
	c.tb.Helper()
	_, bus, _ := strings.Cut(n.node(n.id()).address, "@")
	c.Nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", n.port(), bus)
}

// URL is the cluster's address as RELAY_REDIS_URL takes it.
func (c *Cluster) URL() string { return urls(c.Nodes) }

// awaitKnown waits until every node that lives knows of every other.
func (c *Cluster) awaitKnown() {
	c.tb.Helper()
	for _, n := range c.living() {
		await(c.tb, "the nodes to know of each other", func() bool {
			return n.says("CLUSTER INFO", fmt.Sprintf("cluster_known_nodes:%d\r", len(c.Nodes)))
		})
	}
}

// AwaitOK waits until every node that lives sees all slots served.
func (c *Cluster) AwaitOK() {
	c.tb.Helper()
	for _, n := range c.living() {
		await(c.tb, "the cluster to be whole", func() bool { return n.says("CLUSTER INFO", "cluster_state:ok") })
	}
}

func (c *Cluster) living() []*Server {
	var list []*Server
	for _, n := range c.Nodes {
		if n.Running() {
			list = append(list, n)
		}
	}
	return list
}

// AddNode starts an empty master and waits until all know of it. It gets
// slots by MoveSlot.
func (c *Cluster) AddNode() *Server {
	c.tb.Helper()
	s := c.start()
	c.meet(s)
	c.awaitKnown()
	c.AwaitOK() // it learns the owner of a slot before it may import it, or never
	return s
}

// RemoveNode makes all others forget a node that has no slots any more, and
// stops it.
func (c *Cluster) RemoveNode(s *Server) {
	c.tb.Helper()
	id := s.id()
	c.Nodes = slices.DeleteFunc(c.Nodes, func(n *Server) bool { return n == s })
	for _, n := range c.living() {
		c.expectOK(n, "CLUSTER", "FORGET", id)
	}
	s.Stop()
	c.awaitKnown()
}

// ReplicaOf is a replica of a master.
func (c *Cluster) ReplicaOf(master *Server) *Server {
	c.tb.Helper()
	id := master.id()
	for _, n := range master.table() {
		if n.master == id {
			return c.byAddr(n.addr())
		}
	}
	c.tb.Fatalf("redis %s has no replica", master.Addr)
	return nil
}

// SlotOf is the slot of a key or shard channel.
func (c *Cluster) SlotOf(name string) int {
	c.tb.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(c.living()[0].Do("CLUSTER", "KEYSLOT", name), ":"))
	if err != nil {
		c.tb.Fatal(err)
	}
	return n
}

// Owner is the master that serves a slot, by the word of the first of the
// nodes that have one; nil if nobody does.
func (c *Cluster) Owner(slot int) *Server {
	c.tb.Helper()
	for _, n := range c.living() {
		for _, other := range n.table() {
			if other.serves(slot) && !strings.Contains(other.flags, "fail") {
				return c.byAddr(other.addr())
			}
		}
	}
	return nil
}

// AwaitOwner waits until every node that lives agrees that another than old
// serves a slot.
func (c *Cluster) AwaitOwner(slot int, old *Server) *Server {
	c.tb.Helper()
	var owner string
	for _, n := range c.living() {
		if n == old {
			continue
		}
		await(c.tb, "a new owner of slot "+strconv.Itoa(slot), func() bool {
			for _, other := range n.table() {
				if other.serves(slot) && other.addr() != old.Addr && !strings.Contains(other.flags, "fail") {
					owner = other.addr()
					return true
				}
			}
			return false
		})
	}
	return c.byAddr(owner)
}

func (c *Cluster) byAddr(addr string) *Server {
	i := slices.IndexFunc(c.Nodes, func(s *Server) bool { return s.Addr == addr })
	if i < 0 {
		return nil
	}
	return c.Nodes[i]
}

// BeginMove opens the move of a slot: from now on its owner sends away whoever
// asks for a key that it does not have (any more).
func (c *Cluster) BeginMove(slot int, to *Server) {
	c.tb.Helper()
	from := c.Owner(slot)
	number := strconv.Itoa(slot)
	c.expectOK(to, "CLUSTER", "SETSLOT", number, "IMPORTING", from.id())
	c.expectOK(from, "CLUSTER", "SETSLOT", number, "MIGRATING", to.id())
}

// MoveKeys carries the slot's keys over, one by one as they come.
func (c *Cluster) MoveKeys(slot int, to *Server) {
	c.tb.Helper()
	from := c.Owner(slot)
	number := strconv.Itoa(slot)
	await(c.tb, "the keys of slot "+number+" to be moved", func() bool {
		for {
			key, err := from.Text("CLUSTER", "GETKEYSINSLOT", number, "1")
			if err != nil || key == "" {
				return err == nil
			}
			// A key may be gone meanwhile, or come; then there is another round.
			if reply, err := from.Try("MIGRATE", "127.0.0.1", to.port(), key, "0", "5000"); err != nil || strings.HasPrefix(reply, "-") {
				return false
			}
		}
	})
}

// EndMove closes the move of a slot and waits until all have heard of it.
func (c *Cluster) EndMove(slot int, to *Server) {
	c.tb.Helper()
	from := c.Owner(slot)
	number := strconv.Itoa(slot)
	// The target first: else, for a moment, nobody would serve it.
	c.expectOK(to, "CLUSTER", "SETSLOT", number, "NODE", to.id())
	// It may have heard of it already and be the target's replica by now, if
	// that was its last slot; then it refuses.
	_, _ = from.Try("CLUSTER", "SETSLOT", number, "NODE", to.id())
	c.AwaitOwner(slot, from)
}

// ForgetMove makes the target of an open move forget it, so that two nodes send
// to each other whoever asks for what has been moved already.
func (c *Cluster) ForgetMove(slot int, to *Server) {
	c.tb.Helper()
	c.expectOK(to, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "STABLE")
}

// MoveSlot moves a slot to another master while the cluster works on, as
// redis-cli --cluster reshard does.
func (c *Cluster) MoveSlot(slot int, to *Server) {
	c.tb.Helper()
	c.BeginMove(slot, to)
	c.MoveKeys(slot, to)
	c.EndMove(slot, to)
}

func (c *Cluster) expectOK(s *Server, args ...string) {
	c.tb.Helper()
	if reply := s.Do(args...); reply != "+OK" {
		c.tb.Fatalf("redis %s: %v: %s", s.Addr, args, reply)
	}
}

func (s *Server) id() string {
	s.tb.Helper()
	return s.Do("CLUSTER", "MYID")
}

// node is a line of CLUSTER NODES.
type node struct {
	id, address, flags string
	master             string // whose replica it is; "-" for a master
	slots              [][2]int
}

func (n node) addr() string {
	addr, _, _ := strings.Cut(n.address, "@")
	return addr
}

func (n node) serves(slot int) bool {
	return slices.ContainsFunc(n.slots, func(r [2]int) bool { return r[0] <= slot && slot <= r[1] })
}

// table is the cluster as a node sees it; empty if it does not answer.
func (s *Server) table() []node {
	text, err := s.Text("CLUSTER", "NODES")
	if err != nil {
		return nil
	}
	var list []node
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		n := node{id: fields[0], address: fields[1], flags: fields[2], master: fields[3]}
		for _, f := range fields[8:] {
			first, last, isRange := strings.Cut(f, "-")
			if !isRange {
				last = first
			}
			a, err1 := strconv.Atoi(first)
			b, err2 := strconv.Atoi(last)
			if err1 == nil && err2 == nil { // else a slot on the move
				n.slots = append(n.slots, [2]int{a, b})
			}
		}
		list = append(list, n)
	}
	return list
}

func (s *Server) node(id string) node {
	s.tb.Helper()
	for _, n := range s.table() {
		if n.id == id {
			return n
		}
	}
	s.tb.Fatalf("redis %s does not know of node %s", s.Addr, id)
	return node{}
}
