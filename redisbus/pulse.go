package redisbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"relay/bus"
)

// pulse is what the publishers of a relay know of one Redis node: whether it
// answers, and whether it takes what it is sent. Without it each of them would
// find out for itself, and a node that is away would pile up the requests of
// five seconds.
type pulse struct {
	mu sync.Mutex
	// silence is why the last command got no answer; nil if it got one.
	silence error
	// asking: one command is under way to find out whether that is over.
	asking bool
	// refusing is since when the node has been up and executed nothing (it is a
	// replica, or loads its data); zero if it does.
	refusing time.Time
}

// refusalPatience is how long a node may refuse everything before publishers
// stop waiting for it. Promoting a replica takes about as long.
const refusalPatience = time.Second

// admit says whether a command may be sent. While the node is silent, one at a
// time may, which asks, and all others are refused at once.
func (p *pulse) admit() (asks bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silence == nil {
		return false, nil
	}
	if p.asking {
		return false, fmt.Errorf("%w: Redis does not answer: %w", bus.ErrUnavailable, p.silence)
	}
	p.asking = true
	return true, nil
}

// asked says that the command that asks has ended.
func (p *pulse) asked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asking = false
}

// note takes in how a command ended. Only writes tell whether the node takes
// what it is sent: a replica announces what a master would have to write.
func (p *pulse) note(err error, write bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	redisErr, isRedis := rueidis.IsRedisErr(err)
	switch {
	case err == nil:
		p.silence = nil
		if write {
			p.refusing = time.Time{}
		}
	case errors.Is(err, context.Canceled), errors.Is(err, errOverwhelmed):
		// The publisher gave up, or was not let in; that says nothing about the node.
	case !isRedis:
		p.silence = err
	default:
		p.silence = nil
		switch {
		case !refusesAll(redisErr):
			p.refusing = time.Time{} // it refuses this one
		case p.refusing.IsZero():
			p.refusing = time.Now()
		}
	}
}

// hopeless reports whether the node has refused everything for so long that
// there is no point in waiting for it.
func (p *pulse) hopeless() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.refusing.IsZero() && time.Since(p.refusing) > refusalPatience
}
