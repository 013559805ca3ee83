package redisbus

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"relay/retry"
)

// While a slot of a Cluster is being moved, its old owner keeps the
// subscribers and sends away whoever asks for keys that are gone already. So
// the publish script is executed, and announces, at the new owner, where
// nobody listens yet: the canary and every connection look well, and the
// channel is silent until the move ends. A move that was broken off never does.
//
// Until then the session subscribes again and again to what it wants of such a
// slot. Each confirmation makes the receiver read from history what it missed,
// and comes in its order among all else that the node says. To subscribe at
// the new owner as well (ASKING) would be quicker; but that may be a node that
// owns nothing so far, and one channel would be heard from two sides.

// movesEvery is the pause between two looks at what is being moved, with jitter.
const movesEvery = 2 * time.Second

var errMoving = errors.New("the channel's slot of the Redis Cluster is being moved to another node")

// followMoves asks the node what it is giving away, until ctx is done.
func (s *session) followMoves(ctx context.Context, conn rueidis.DedicatedClient) {
	for {
		moving, err := readMoves(ctx, conn)
		redisErr, isRedis := rueidis.IsRedisErr(err)
		switch {
		case err == nil:
			s.subscribeAgain(moving)
		case isRedis && forbidden(redisErr):
			s.listener.bus.options.Log.Warn("this relay may not see which slots of the Redis Cluster are being moved, and hears their channels late; allow it CLUSTER NODES", "node", s.node, "error", err)
			return
		}
		if !retry.Sleep(ctx, movesEvery*3/4+rand.N(movesEvery/2)) {
			return
		}
	}
}

// subscribeAgain asks anew for all that is wanted of slots on the move.
func (s *session) subscribeAgain(moving map[uint16]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moving = moving
	if len(moving) == 0 {
		return
	}
	if moving[s.slot(s.canary.channel)] {
		s.canary.channel = "" // it proves nothing about the node's other slots
	}
	for channel := range s.wanted {
		if moving[s.slot(channel)] {
			s.changes = append(s.changes, change{channel, true})
		}
	}
	s.wakeSender()
}

// moves reports whether a channel's slot is known to be on the move.
func (s *session) moves(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.moving) > 0 && s.moving[s.slot(channel)]
}

// readMoves asks a node which slots it is giving away: of itself, and of no
// other, it says so in CLUSTER NODES.
func readMoves(ctx context.Context, conn rueidis.DedicatedClient) (map[uint16]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, topologyTimeout)
	defer cancel()
	text, err := conn.Do(ctx, conn.B().ClusterNodes().Build()).ToString()
	if err != nil {
		return nil, err
	}
	return parseMoves(text), nil
}

// parseMoves finds what looks like [93->-NODE] in the lines of CLUSTER NODES.
func parseMoves(text string) map[uint16]bool {
	moving := make(map[uint16]bool)
	for word := range strings.FieldsSeq(text) {
		slot, _, found := strings.Cut(strings.TrimPrefix(word, "["), "->-")
		if n, err := strconv.ParseUint(slot, 10, 16); found && err == nil {
			moving[uint16(n)] = true
		}
	}
	return moving
}
