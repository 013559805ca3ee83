package main

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"time"

	"relay/bus"
	"relay/cmd/relay/internal/config"
	"relay/redisbus"
	"relay/retry"
)

const (
	// shareEvery is how often a relay looks after the shared secret, and
	// shareTTL how long it outlives the last one that did.
	shareEvery = time.Minute
	shareTTL   = 24 * time.Hour
	// sharePause comes before the next attempt while Redis does not answer.
	sharePause = 100 * time.Millisecond
)

// sharedSecret is what all relays of one Redis have in common, and nobody
// else: from the settings, or made by the first of them and kept in Redis. A
// relay that stands alone makes one for itself.
type sharedSecret struct {
	configured *config.Secret
	made       atomic.Pointer[string] // nil: not known yet
	cancel     context.CancelFunc
	ended      chan struct{}
}

func shareSecret(configured *config.Secret, b bus.Bus) *sharedSecret {
	s := &sharedSecret{configured: configured, ended: make(chan struct{})}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	proposal := rand.Text() + rand.Text()
	shared, ok := b.(*redisbus.Bus)
	if configured.IsSet() || !ok {
		s.made.Store(&proposal)
		close(s.ended)
		return s
	}
	go func() {
		defer close(s.ended)
		s.lookAfter(ctx, shared, proposal)
	}()
	return s
}

// lookAfter asks again and again: Redis may have been emptied meanwhile, and
// relays must not go on with different secrets.
func (s *sharedSecret) lookAfter(ctx context.Context, b *redisbus.Bus, proposal string) {
	for {
		pause := shareEvery
		if text, err := b.Share(ctx, "secret", proposal, shareTTL); err == nil {
			s.made.Store(&text)
		} else {
			pause = sharePause
		}
		if !retry.Sleep(ctx, pause) {
			return
		}
	}
}

// get returns the secret; nil as long as Redis has not told it.
func (s *sharedSecret) get() []byte {
	if s.configured.IsSet() {
		return []byte(s.configured.Get())
	}
	if made := s.made.Load(); made != nil {
		return []byte(*made)
	}
	return nil
}

func (s *sharedSecret) close() {
	s.cancel()
	<-s.ended
}
