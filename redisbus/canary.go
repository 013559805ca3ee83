package redisbus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"relay/bus"
	"relay/event"
	"relay/retry"
)

// A subscriber connection can be green and deaf: half open, or still with a
// server that a failover has left behind. So each one is subscribed to a
// channel of this relay's own, into which the relay publishes every few
// seconds, by the script and through the client that publish events and
// follow failovers and slots. What comes back proves that events do too.
//
// A server that can be heard may still refuse to write (a replica, full
// memory, a permission). Then the canary is announced and not kept, so that
// the two troubles are told apart: a relay that hears has no reason to give
// its connection up.

const (
	// canaryEvery is the pause between two canaries, with jitter.
	canaryEvery = 5 * time.Second
	// canaryLimit is how old the last one that came back may be.
	canaryLimit = 15 * time.Second
	// canaryTimeout ends waiting for Redis to take one.
	canaryTimeout = 2 * time.Second
	// canaryPause is before another attempt when Redis did not take one.
	canaryPause = 250 * time.Millisecond
)

// canaryKept is how much of a canary's channel is kept: next to nothing, and
// not for long after the relay is gone.
var canaryKept = bus.Retention{Size: 1, TTL: time.Minute, PositionTTL: time.Minute}

// Metrics counts what only this package sees. Its methods must not block.
type Metrics interface {
	// CanaryReturned says that a canary came back through a subscriber
	// connection, so long after it was sent.
	CanaryReturned(roundTrip time.Duration)
}

type noMetrics struct{}

func (noMetrics) CanaryReturned(time.Duration) {}

// canary is what a session knows of its own. Guarded by the session's lock.
type canary struct {
	channel string    // what it is subscribed to; empty for nothing yet
	names   int       // how many were tried as its channel
	stamp   int64     // Redis's time of the last one of this channel
	heard   time.Time // when the last one that came back was sent, on whichever connection
	since   time.Time // when the connection began
	back    bool      // one came back through this connection
	refused error     // Redis does not permit it
	failed  error     // why the last one was not sent; nil if it was
	// unwritten is why the last one was announced only; nil if it was written.
	unwritten error
}

// begin forgets what was true of the last connection.
func (c *canary) begin() {
	c.channel, c.refused, c.failed, c.back = "", nil, nil, false
	c.since, c.names = time.Now(), 0
}

// hears returns nil if the connection was proven lately.
func (c *canary) hears() error {
	switch {
	case c.refused != nil:
		return fmt.Errorf("this relay cannot prove that it hears Redis; allow it to publish to all channels under its prefix and to subscribe to them: %w", c.refused)
	case !c.back && c.failed != nil:
		return fmt.Errorf("the subscriber connection to Redis cannot be proven: %w", c.failed)
	case !c.back:
		return errors.New("the subscriber connection to Redis is new and not proven yet")
	case c.silence() > canaryLimit:
		return c.deaf()
	default:
		return nil
	}
}

// silence is how long nothing has proven the connection.
func (c *canary) silence() time.Duration {
	if c.heard.After(c.since) {
		return time.Since(c.heard)
	}
	return time.Since(c.since)
}

func (c *canary) deaf() error {
	return fmt.Errorf("what this relay publishes has not come back through its subscriber connection for %v", c.silence().Truncate(time.Second))
}

// CanaryAge is how long ago the last canary that came back was sent, on the
// subscriber connection where that is longest ago.
func (b *Bus) CanaryAge() time.Duration {
	b.listener.mu.Lock()
	defer b.listener.mu.Unlock()
	sessions := b.listener.nodes.all()
	if len(sessions) == 0 {
		return time.Since(b.started)
	}
	var age time.Duration
	for _, s := range sessions {
		s.mu.Lock()
		age = max(age, time.Since(s.canary.heard))
		s.mu.Unlock()
	}
	return age
}

// prove sends canaries until ctx is done, or returns why the connection must
// be given up.
func (s *session) prove(ctx context.Context, conn rueidis.DedicatedClient) error {
	for {
		pause := canaryEvery*3/4 + rand.N(canaryEvery/2)
		if passing := s.sent(s.sendCanary(ctx, conn)); passing {
			pause = canaryPause
		}
		s.mu.Lock()
		silence, deaf := s.canary.silence(), s.canary.deaf()
		s.mu.Unlock()
		if silence > canaryLimit {
			return deaf
		}
		// Not beyond the limit: whoever is deaf is to know it then.
		if !retry.Sleep(ctx, min(pause, canaryLimit-silence+time.Millisecond)) {
			return nil
		}
	}
}

// sent notes what came of sending a canary. It reports whether there was an
// error that may pass by itself.
func (s *session) sent(err error) (passing bool) {
	redisErr, isRedis := rueidis.IsRedisErr(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canary.failed, s.canary.refused = err, nil
	if isRedis && forbidden(redisErr) {
		// Not silence: a new connection would be refused the same, and what
		// this one hears be interrupted for nothing.
		s.canary.refused = err
		s.canary.since = time.Now()
		return false
	}
	return err != nil
}

// sendCanary sends one, having subscribed to its channel if need be.
func (s *session) sendCanary(ctx context.Context, conn rueidis.DedicatedClient) error {
	ctx, cancel := context.WithTimeout(ctx, canaryTimeout)
	defer cancel()
	client, err := s.listener.bus.redis()
	if err != nil {
		return err
	}
	s.mu.Lock()
	channel := s.canary.channel
	s.mu.Unlock()
	if channel == "" {
		if channel, err = s.subscribeCanary(ctx, conn); err != nil {
			return err
		}
	}
	return s.publishCanary(ctx, client, channel)
}

// publishCanary writes one as an event is written, or announces it if the
// node refuses to write.
func (s *session) publishCanary(ctx context.Context, client rueidis.Client, channel string) error {
	b := s.listener.bus
	sent := strconv.FormatInt(int64(time.Since(b.started)), 10)
	g := b.newGroup(channel, canaryKept)
	g.hold(sent)
	err := g.alone(ctx, client)
	if g.retry(err) && g.full {
		err = g.alone(ctx, client)
	}
	redisErr, isRedis := rueidis.IsRedisErr(err)
	if err == nil || isRedis {
		g.to.pulse.note(err, true)
	}
	switch {
	case err != nil && !isRedis:
		return err
	case isRedis && elsewhere(redisErr):
		// Its slot is on the move, which says nothing about the node's others.
		s.canaryGone(channel)
		return err
	}
	s.mu.Lock()
	s.canary.unwritten = err
	s.mu.Unlock()
	if err == nil {
		return nil
	}
	return client.Do(ctx, announcement(client, b.stream(channel), sent)).Error()
}

func (s *session) subscribeCanary(ctx context.Context, conn rueidis.DedicatedClient) (string, error) {
	channel, err := s.canaryChannel()
	if err != nil {
		return "", err
	}
	if err := conn.Do(ctx, s.subscription(conn, s.listener.bus.stream(channel), true)).Error(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canary.channel, s.canary.stamp = channel, 0
	return channel, nil
}

// maxCanaryNames bounds the search for a name: 40 times what a node with one
// slot out of 16384 needs on average.
const maxCanaryNames = 1 << 19

// canaryChannel finds a channel that the session's node serves and is not
// giving away, and that has not been tried before on this connection.
func (s *session) canaryChannel() (string, error) {
	l := s.listener
	l.mu.Lock()
	nodes := l.nodes
	l.mu.Unlock()
	s.mu.Lock()
	first, moving := s.canary.names, s.moving
	s.mu.Unlock()
	if cluster, ok := nodes.(*clusterNodes); ok && len(moving) > 0 && !cluster.keepsAny(s, moving) {
		return "", errMoving // half a million names would not find one
	}
	for n := first; n < first+maxCanaryNames; n++ {
		if channel := l.bus.canary + strconv.Itoa(n); nodes.of(channel) == s && !s.moves(channel) {
			s.mu.Lock()
			s.canary.names = n + 1
			s.mu.Unlock()
			return channel, nil
		}
	}
	l.wake()
	return "", errors.New("the node serves no slots")
}

// canaryBack takes in a message if it is a canary of this session.
func (s *session) canaryBack(number int, channel, text string) bool {
	s.mu.Lock()
	ours := channel == s.canary.channel
	if !ours || number != s.connection {
		s.mu.Unlock()
		return ours
	}
	// One that was written comes as an event does, behind its position.
	n, err := strconv.ParseInt(text[strings.LastIndexByte(text, ' ')+1:], 10, 64)
	sent := s.listener.bus.started.Add(time.Duration(n))
	valid := err == nil && !sent.After(time.Now())
	if valid && !sent.Before(s.canary.since) {
		s.canary.back = true
	}
	if valid && sent.After(s.canary.heard) {
		s.canary.heard = sent
	}
	s.mu.Unlock()
	if valid {
		s.tellBack(channel, text, time.Since(sent))
	}
	return true
}

// tellBack passes on what a canary has shown that came back.
func (s *session) tellBack(channel, text string, away time.Duration) {
	s.listener.bus.options.Metrics.CanaryReturned(away)
	position, _, _ := strings.Cut(text, " ")
	id, err := event.ParsePosition(position)
	if err != nil {
		return // it was not written
	}
	if !s.stamped(id.Time) {
		// Redis's clock was set back: positions of this channel wait for it. A new
		// channel has the time that it is now.
		s.canaryGone(channel)
		return
	}
	s.outlet.clock.learn(id.Time, time.Now(), away)
}

// stamped notes Redis's time of a canary, and reports whether it moves.
func (s *session) stamped(stamp int64) (moves bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	moves = stamp > s.canary.stamp
	s.canary.stamp = stamp
	return moves
}

// canaryGone notes that the node does not serve the canary's channel any more,
// if that is what it was; the next canary gets another.
func (s *session) canaryGone(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.canary.channel != channel {
		return false
	}
	s.canary.channel = ""
	return true
}
