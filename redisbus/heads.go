package redisbus

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"relay/bus"
	"relay/event"
)

// Heads implements bus.Bus: one command a channel, all in one pipeline.
func (b *Bus) Heads(ctx context.Context, channels []string) map[string]event.Position {
	client, err := b.redis()
	if err != nil {
		return nil
	}
	commands := make([]rueidis.Completed, len(channels))
	for i, channel := range channels {
		ttl := positionLife(b.options.Retention(channel))
		commands[i] = client.B().Getex().Key(b.head(channel)).PxMilliseconds(ttl.Milliseconds()).Build()
	}
	heads := make(map[string]event.Position, len(channels))
	for i, reply := range client.DoMulti(ctx, commands...) {
		text, err := reply.ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			continue
		}
		// What is no position is none: whoever resumes makes a new one.
		heads[channels[i]], _ = event.ParsePosition(text)
	}
	return heads
}

// positionLife is for how long a head is kept from now on. The publish script
// renews it once in a slice of history's TTL, and counts on it to live for one
// slice more than it must.
func positionLife(keep bus.Retention) time.Duration {
	return keep.PositionTTL + keep.TTL/64 + time.Millisecond
}
