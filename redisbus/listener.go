package redisbus

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/redis/rueidis"
)

// listener holds all that this relay wants to hear, and hands each wish to the
// session with the Redis node that serves it: the only one of a standalone
// server or Sentinel, the owner of the channel's slot in a Cluster.
type listener struct {
	bus      *Bus
	complain rate.Sometimes // bounds log lines about what strangers publish
	kick     chan struct{}  // wakes run to place channels
	sessions sync.WaitGroup
	nowhere  outlet // of what no node serves

	mu     sync.Mutex
	wanted map[string]*session // the channel's session; nil while it has none
	astray bool                // some may have none
	nodes  topology
}

func newListener(b *Bus) *listener {
	return &listener{
		bus:      b,
		complain: rate.Sometimes{First: 3, Interval: 10 * time.Second},
		kick:     make(chan struct{}, 1),
		wanted:   make(map[string]*session),
		nowhere:  outlet{pipeline: pipeline{bus: b}},
		nodes:    noTopology{errors.New("the subscriber connection to Redis is still being made")},
	}
}

// topology says which session hears a channel.
type topology interface {
	// of returns nil if no node serves the channel now.
	of(channel string) *session
	all() []*session
	// trouble is why there are no sessions, or not all.
	trouble() error
}

// noTopology is what is known before Redis has answered.
type noTopology struct{ error }

func (noTopology) of(string) *session { return nil }
func (noTopology) all() []*session    { return nil }
func (t noTopology) trouble() error   { return t.error }

// oneNode is a standalone server, or the master that Sentinel names.
type oneNode struct{ *session }

func (t oneNode) of(string) *session { return t.session }
func (t oneNode) all() []*session    { return []*session{t.session} }
func (oneNode) trouble() error       { return nil }

// want notes a wish. It does not block.
func (l *listener) want(channel string, want bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, wanted := l.wanted[channel]
	switch {
	case want && !wanted:
		s = l.nodes.of(channel)
		l.wanted[channel] = s
		if s != nil {
			s.want(channel, true)
		} else {
			l.astray = true
		}
	case !want && wanted:
		delete(l.wanted, channel)
		if s != nil {
			s.want(channel, false)
		}
	}
}

// refused forgets a channel that Redis does not let this relay subscribe to.
func (l *listener) refused(channel string, err error) {
	l.mu.Lock()
	delete(l.wanted, channel)
	l.mu.Unlock()
	l.bus.receiverNow().ListenFailed(channel, err)
}

// lost notes that a session's node does not serve a channel any more; run
// finds out who does.
func (l *listener) lost(channel string, s *session) {
	l.mu.Lock()
	if owner, wanted := l.wanted[channel]; wanted && owner == s {
		l.wanted[channel] = nil
		l.astray = true
	}
	l.mu.Unlock()
	l.wake()
}

func (l *listener) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// healthy returns nil if everything wanted is heard, and what is published taken.
func (l *listener) healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.nodes.trouble(); err != nil {
		return err
	}
	for _, s := range l.nodes.all() {
		if err := s.healthy(); err != nil {
			return err
		}
	}
	return nil
}

// outletOf is the node to which a channel's events go.
func (l *listener) outletOf(channel string) *outlet {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.nodes.of(channel); s != nil {
		return &s.outlet
	}
	return &l.nowhere
}

var errUnserved = errors.New("no node of the Redis Cluster serves this channel's slot now")

// deafTo returns nil if events published in a channel now reach this relay.
// In a Cluster one node's trouble is not that of another's channels. scripted:
// they are published by the script, not by one SPUBLISH, which has no key to
// be sent after and goes where the subscribers are.
func (l *listener) deafTo(channel string, scripted bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.nodes.of(channel)
	if owner, wanted := l.wanted[channel]; s == nil || wanted && owner == nil {
		if err := l.nodes.trouble(); err != nil {
			return err
		}
		return errUnserved
	}
	if scripted && s.moves(channel) {
		return errMoving
	}
	return s.hears()
}

// run hears until ctx is done.
func (l *listener) run(ctx context.Context, client rueidis.Client) {
	defer l.sessions.Wait()
	if client.Mode() == rueidis.ClientModeCluster {
		l.followCluster(ctx, client)
		return
	}
	s := newSession(l, "", func() (rueidis.DedicatedClient, func(), error) {
		conn, release := client.Dedicate()
		return conn, release, nil
	})
	l.place(oneNode{s})
	s.run(ctx)
}

// place puts a topology in force: every channel goes to the session that now
// hears it. A session that loses a channel delivers nothing of it any more
// before another one begins to, so that the receiver is never told of one
// channel from two sides.
func (l *listener) place(next topology) {
	left := make(map[*session]bool)
	l.mu.Lock()
	l.nodes = next
	for channel, s := range l.wanted {
		if s != nil && s != next.of(channel) {
			s.want(channel, false)
			l.wanted[channel] = nil
			left[s] = true
		}
	}
	l.mu.Unlock()
	// Not under the lock: it waits for the receiver, who may be waiting for want.
	for s := range left {
		s.awaitDelivery()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.astray = false
	for channel, s := range l.wanted {
		if s != nil {
			continue
		}
		if s = next.of(channel); s != nil {
			l.wanted[channel] = s
			s.want(channel, true)
		} else {
			l.astray = true
		}
	}
}

// settled reports whether every channel has a session.
func (l *listener) settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.astray
}
