package redisbus

import (
	"context"
	"fmt"

	"relay/bus"
)

// Delete implements bus.Bus. The head stays, so the next event names the last
// one that was deleted as its predecessor.
func (b *Bus) Delete(ctx context.Context, channel string) error {
	client, err := b.redis()
	if err != nil {
		return err
	}
	// UNLINK, unlike DEL, frees a large stream beside Redis's one thread.
	err = b.insist(ctx, channel, func() error {
		return client.Do(ctx, client.B().Unlink().Key(b.stream(channel)).Build()).Error()
	})
	if err != nil {
		return fmt.Errorf("%w: %w", bus.ErrUnavailable, err)
	}
	return nil
}
