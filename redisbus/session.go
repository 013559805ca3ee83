package redisbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"relay/event"
	"relay/retry"
)

// session hears the channels it is handed through one subscriber connection to
// one Redis node. After a lost connection it makes a new one and subscribes to
// all of them again; the receiver is told of each confirmation and then reads
// from history what it missed.
type session struct {
	listener *listener
	node     string                      // address in a Cluster; else empty
	slot     func(channel string) uint16 // in a Cluster
	dial     func() (conn rueidis.DedicatedClient, release func(), err error)
	cancel   context.CancelFunc // ends it; nil where only the bus's end does
	kick     chan struct{}      // wakes the sender
	outlet   outlet             // of the node

	// delivering is held while the receiver is told something, so that one
	// can wait until it no longer is. Never taken under a lock that want takes.
	delivering sync.Mutex

	mu         sync.Mutex
	wanted     map[string]bool
	changes    []change        // of wanted, not sent to Redis yet, in order
	connection int             // its number; what an older one says does not count
	trouble    error           // why nothing is heard; nil while connected
	moving     map[uint16]bool // slots that the node is giving away
	canary     canary
}

func newSession(l *listener, node string, dial func() (rueidis.DedicatedClient, func(), error)) *session {
	s := &session{
		listener: l,
		node:     node,
		dial:     dial,
		kick:     make(chan struct{}, 1),
		outlet:   outlet{pipeline: pipeline{bus: l.bus}},
		wanted:   make(map[string]bool),
		trouble:  errors.New("the subscriber connection to Redis is still being made"),
	}
	s.canary.heard = time.Now()
	return s
}

// awaitDelivery returns when the receiver is not being told anything that was
// heard before the call.
func (s *session) awaitDelivery() {
	s.delivering.Lock()
	defer s.delivering.Unlock()
}

// failed notes why there is no connection, and reports whether that is news.
func (s *session) failed(trouble error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.trouble == nil || s.trouble.Error() != trouble.Error()
	s.trouble = trouble
	return news
}

// hears returns nil if what is published on this node reaches this relay, as
// far as the canary tells.
func (s *session) hears() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble != nil {
		return s.trouble
	}
	return s.canary.hears()
}

// healthy returns nil if the node is heard and takes what is published.
func (s *session) healthy() error {
	if err := s.hears(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.canary.unwritten != nil {
		return fmt.Errorf("what this relay publishes is not taken by Redis: %w", s.canary.unwritten)
	}
	return nil
}

// run hears until ctx is done.
func (s *session) run(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		begin := time.Now()
		err := s.hear(ctx)
		s.end()
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > connectPause {
			attempt = 0
		}
		if trouble := fmt.Errorf("the subscriber connection to Redis is lost: %w", err); s.failed(trouble) {
			s.listener.bus.options.Log.Warn("the subscriber connection to Redis is lost; making a new one", "node", s.node, "error", err)
		}
		s.listener.wake() // its node may have lost its slots
		if !retry.Sleep(ctx, backoff(attempt, connectPause)) {
			return
		}
	}
}

// hear makes a connection, subscribes to everything wanted, and sends changes
// until the connection ends or is found to be deaf.
func (s *session) hear(ctx context.Context) error {
	conn, release, err := s.dial()
	if err != nil {
		return err
	}
	defer release()
	defer conn.Close() // never back into the pool: it is subscribed

	number := s.begin()
	ended := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage:      func(m rueidis.PubSubMessage) { s.message(number, m) },
		OnSubscription: func(p rueidis.PubSubSubscription) { s.confirmed(number, p) },
	})
	if err := s.ping(ctx, conn); err != nil {
		return err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel(nil)
	tasks.Go(func() {
		if err := s.prove(ctx, conn); err != nil {
			cancel(err)
		}
	})
	if s.slot != nil {
		tasks.Go(func() { s.followMoves(ctx, conn) })
	}
	for {
		if err := s.send(ctx, conn); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		s.connected()
		select {
		case <-s.kick:
		case err := <-ended:
			if err == nil {
				err = errors.New("the connection was closed")
			}
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// begin numbers a new connection: everything wanted is to be sent.
func (s *session) begin() (number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connection++
	s.changes = s.changes[:0]
	for channel := range s.wanted {
		s.changes = append(s.changes, change{channel, true})
	}
	s.moving = nil
	s.canary.begin()
	return s.connection
}

// end makes sure that nothing more comes from a connection.
func (s *session) end() {
	s.mu.Lock()
	s.connection++
	s.mu.Unlock()
	s.awaitDelivery()
}

func (s *session) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = nil
}

func (s *session) ping(ctx context.Context, conn rueidis.DedicatedClient) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return conn.Do(ctx, conn.B().Ping().Build()).Error()
}

// wants reports whether what a connection says of a channel is to be passed on.
func (s *session) wants(number int, channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connection == number && s.wanted[channel]
}

// confirmed runs on the connection's reading goroutine, in the order of the wire.
func (s *session) confirmed(number int, p rueidis.PubSubSubscription) {
	channel, ok := strings.CutPrefix(p.Channel, s.listener.bus.prefix)
	if !ok {
		return
	}
	switch p.Kind {
	case "subscribe", "ssubscribe":
		s.delivering.Lock()
		defer s.delivering.Unlock()
		if s.wants(number, channel) {
			s.listener.bus.receiverNow().Listening(channel)
		}
	case "sunsubscribe":
		// The answer to a wish, or the node has given the slot away.
		if s.canaryGone(channel) {
			return
		}
		if s.wants(number, channel) {
			s.lost(channel)
		}
	}
}

// message runs on the connection's reading goroutine.
func (s *session) message(number int, m rueidis.PubSubMessage) {
	channel, ok := strings.CutPrefix(m.Channel, s.listener.bus.prefix)
	if !ok || s.canaryBack(number, channel, m.Message) {
		return
	}
	s.delivering.Lock()
	defer s.delivering.Unlock()
	if !s.wants(number, channel) {
		return
	}
	receiver := s.listener.bus.receiverNow()
	d, err := decodeMessage(channel, m.Message, s.listener.bus.options.MaxEventBytes, &s.outlet.clock)
	if err != nil {
		receiver.Dropped(event.DropMalformed)
		s.listener.complain.Do(func() {
			s.listener.bus.options.Log.Warn("a message in Redis is not an event and is dropped", "channel", channel, "error", err)
		})
		return
	}
	receiver.Deliver(d)
}
