package redisbus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"relay/retry"
)

const (
	slots = 1 << 14
	// topologyRefresh is how often the servers are asked who is master of
	// what; besides, whenever something suggests that it has changed.
	topologyRefresh = 5 * time.Second
	topologyTimeout = 2 * time.Second
)

// clusterNodes is who serves which slot of a Cluster. It is never changed.
type clusterNodes struct {
	slot     func(channel string) uint16
	owners   [slots]*session
	sessions map[string]*session // by address
}

func (n *clusterNodes) of(channel string) *session { return n.owners[n.slot(channel)] }

func (n *clusterNodes) all() []*session {
	list := make([]*session, 0, len(n.sessions))
	for _, s := range n.sessions {
		list = append(list, s)
	}
	return list
}

// keepsAny reports whether a session's node serves a slot that it is not giving away.
func (n *clusterNodes) keepsAny(s *session, moving map[uint16]bool) bool {
	for slot, owner := range n.owners {
		if owner == s && !moving[uint16(slot)] {
			return true
		}
	}
	return false
}

func (n *clusterNodes) trouble() error {
	unserved := 0
	for _, s := range n.owners {
		if s == nil {
			unserved++
		}
	}
	if unserved > 0 {
		return fmt.Errorf("%d of the Redis Cluster's %d slots are served by no node", unserved, slots)
	}
	return nil
}

// followCluster keeps a session with each node that owns slots, and every
// channel with its owner, until ctx is done.
func (l *listener) followCluster(ctx context.Context, client rueidis.Client) {
	b := l.bus
	sessions := make(map[string]*session)
	known := new([slots]string)
	slot := func(channel string) uint16 {
		command := client.B().Spublish().Channel(b.stream(channel)).Message("").Build()
		return command.Slot()
	}
	var lastKick time.Time
	for attempt := 0; ; attempt++ {
		owners, err := readSlots(ctx, client)
		switch {
		case err == nil && (*owners != *known || !l.settled()):
			sessions = l.staff(ctx, sessions, slot, owners)
			known = owners
		case err != nil && ctx.Err() == nil:
			l.unknown(fmt.Errorf("the Redis Cluster does not say which node serves which slot: %w", err))
			l.wake()
		}
		timer := time.NewTimer(topologyRefresh/2 + rand.N(topologyRefresh/2))
		select {
		case <-l.kick:
			timer.Stop()
			if time.Since(lastKick) > 2*connectPause {
				attempt = 0
			}
			lastKick = time.Now()
			if !retry.Sleep(ctx, backoff(attempt, connectPause)) {
				return
			}
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// unknown notes why nothing is known of the Cluster. What was known before
// stays in force: each session tells its own trouble.
func (l *listener) unknown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, never := l.nodes.(noTopology); never {
		if before.Error() != err.Error() {
			l.bus.options.Log.Warn(err.Error() + "; trying again")
		}
		l.nodes = noTopology{err}
	}
}

// staff puts slots' owners in force: new nodes get a session, and the session
// of a node that owns nothing any more ends after its channels have moved.
func (l *listener) staff(ctx context.Context, old map[string]*session, slot func(string) uint16, owners *[slots]string) map[string]*session {
	next := &clusterNodes{slot: slot, sessions: make(map[string]*session)}
	var fresh []func()
	for i, node := range owners {
		if node == "" {
			continue
		}
		s := next.sessions[node]
		if s == nil {
			if s = old[node]; s == nil {
				s = newSession(l, node, l.bus.nodeDialer(node))
				s.slot = slot
				mine, cancel := context.WithCancel(ctx)
				s.cancel = cancel
				fresh = append(fresh, func() { s.run(mine) })
			}
			next.sessions[node] = s
		}
		next.owners[i] = s
	}
	l.place(next)
	for _, run := range fresh {
		l.sessions.Go(run)
	}
	for node, s := range old {
		if next.sessions[node] == nil {
			s.cancel()
		}
	}
	return next.sessions
}

// nodeDialer makes subscriber connections to one node of a Cluster. They do
// not go through the Cluster's client, which may know less than this package:
// it looks at the topology only when a command was redirected.
func (b *Bus) nodeDialer(node string) func() (rueidis.DedicatedClient, func(), error) {
	option := b.client
	option.InitAddress = []string{node}
	option.ForceSingleClient = true
	return func() (rueidis.DedicatedClient, func(), error) {
		client, err := rueidis.NewClient(option)
		if err != nil {
			return nil, nil, err
		}
		conn, release := client.Dedicate()
		return conn, func() { release(); client.Close() }, nil
	}
}

// readSlots asks one node after the other who owns each slot: an address, or
// empty for nobody.
func readSlots(ctx context.Context, client rueidis.Client) (owners *[slots]string, err error) {
	err = errors.New("no node of the Redis Cluster is known")
	for addr, node := range client.Nodes() { // in random order
		if owners, err = readSlotsOf(ctx, addr, node); err == nil {
			return owners, nil
		}
	}
	return nil, err
}

func readSlotsOf(ctx context.Context, addr string, node rueidis.Client) (*[slots]string, error) {
	ctx, cancel := context.WithTimeout(ctx, topologyTimeout)
	defer cancel()
	ranges, err := node.Do(ctx, node.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		return nil, err
	}
	if len(ranges) == 0 {
		return nil, errors.New("a node knows of no slots")
	}
	owners := new([slots]string)
	for _, r := range ranges {
		if err := readRange(owners, addr, r); err != nil {
			return nil, fmt.Errorf("the answer to CLUSTER SLOTS: %w", err)
		}
	}
	return owners, nil
}

// readRange reads one part of the answer: first slot, last slot, master,
// replicas; of the master, host and port come first. A node that was never
// told its own host leaves it empty: it is the one that was asked.
func readRange(owners *[slots]string, asked string, r rueidis.RedisMessage) error {
	parts, err := r.ToArray()
	if err != nil || len(parts) < 3 {
		return errReply
	}
	first, err1 := parts[0].AsInt64()
	last, err2 := parts[1].AsInt64()
	master, err3 := parts[2].ToArray()
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if first < 0 || last >= slots || len(master) < 2 {
		return errReply
	}
	host, _ := master[0].ToString() // nil: not known
	if host == "" || host == "?" {
		host, _, _ = net.SplitHostPort(asked)
	}
	port, err := master[1].AsInt64()
	if err != nil {
		return err
	}
	for slot := first; slot <= last; slot++ {
		owners[slot] = net.JoinHostPort(host, strconv.FormatInt(port, 10))
	}
	return nil
}

// announcement is the command that publishes without history.
func announcement(client rueidis.Client, name, message string) rueidis.Completed {
	if client.Mode() == rueidis.ClientModeCluster {
		return client.B().Spublish().Channel(name).Message(message).Build()
	}
	return client.B().Publish().Channel(name).Message(message).Build()
}

// announces is the name of that command, for the publish script.
func announces(client rueidis.Client) string {
	if client.Mode() == rueidis.ClientModeCluster {
		return "SPUBLISH"
	}
	return "PUBLISH"
}
