package redisbus

import (
	"context"
	"fmt"
	"time"

	"relay/bus"
)

// Share keeps a text that all relays on this Redis share under a name, for
// another ttl: proposal, unless there is one already. It returns the one in
// force.
func (b *Bus) Share(ctx context.Context, name, proposal string, ttl time.Duration) (string, error) {
	client, err := b.redis()
	if err != nil {
		return "", err
	}
	key := b.prefix + "_" + name
	replies := client.DoMulti(ctx,
		client.B().Set().Key(key).Value(proposal).Nx().Px(ttl).Build(),
		client.B().Getex().Key(key).Px(ttl).Build())
	// The first answers nil where there is one, and its failure is the second's too.
	text, err := replies[1].ToString()
	if err != nil {
		return "", fmt.Errorf("%w: %w", bus.ErrUnavailable, err)
	}
	return text, nil
}
