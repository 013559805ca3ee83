package redisbus

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"relay/retry"
)

// insist tries until the channel's node executes a command or refuses it for
// good, or ctx's deadline is there. A caller without a deadline tries again by
// himself, and gets the first answer.
func (b *Bus) insist(ctx context.Context, channel string, try func() error) error {
	_, patient := ctx.Deadline()
	for attempt := 0; ; attempt++ {
		err := try()
		var redisErr *rueidis.RedisError
		again := patient && errors.As(err, &redisErr) && notExecuted(redisErr) &&
			!(refusesAll(redisErr) && b.listener.outletOf(channel).pulse.hopeless())
		if !again || !retry.Sleep(ctx, backoff(attempt, 200*time.Millisecond)) {
			return err
		}
	}
}
