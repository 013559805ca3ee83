package redisbus

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"relay/bus"
	"relay/retry"
)

// Publish implements bus.Bus. The events of one channel go out together, in
// one command, and so may those of several; see bundle.
func (b *Bus) Publish(ctx context.Context, batch []bus.Publication) []bus.Receipt {
	receipts := make([]bus.Receipt, len(batch))
	client, err := b.redis()
	if err != nil {
		for i := range receipts {
			receipts[i].Err = err
		}
		return receipts
	}
	groups, asking := admitted(b.group(batch, receipts), receipts)
	defer asked(asking)
	for attempt := 0; len(groups) > 0; attempt++ {
		ask(ctx, client, groups)
		var again []*group
		for _, g := range groups {
			g.to.pulse.note(g.reply.err, !g.plain())
			if g.retry(g.reply.err) {
				again = append(again, g)
				continue
			}
			b.note(g.reply.err)
			g.settle(receipts)
		}
		groups = again
		if len(groups) > 0 && !onlyScriptsMissing(groups) && !retry.Sleep(ctx, backoff(attempt, 200*time.Millisecond)) {
			break
		}
	}
	for _, g := range groups {
		b.note(g.err)
		g.fail(fmt.Errorf("%w: %w", bus.ErrUnavailable, g.err), receipts)
	}
	return receipts
}

// outlet is a Redis node as publishers know it.
type outlet struct {
	pulse    pulse
	pipeline pipeline
	clock    clock
}

// ask sends each group to its node and waits for all replies.
func ask(ctx context.Context, client rueidis.Client, groups []*group) {
	var space [4]*parcel // there are as many as nodes: mostly one
	for _, p := range parcelsOf(ctx, groups, space[:0]) {
		if err := p.to.pipeline.send(client, p); err != nil {
			p.fail(err)
		}
	}
	for _, g := range groups {
		g.await()
	}
}

// note logs what Redis refuses for a reason that will not pass by itself (out
// of memory, a permission, a wrong type), now and then: the app is told 503
// each time, but only whoever runs the relay can do something about it.
func (b *Bus) note(err error) {
	if redisErr, ok := rueidis.IsRedisErr(err); ok {
		b.complain.Do(func() { b.options.Log.Error("Redis refuses an event", "error", redisErr) })
	}
}

// admitted returns the groups whose nodes may be asked now, and the nodes of
// which one asks whether they answer again; the other groups are answered.
func admitted(groups []*group, receipts []bus.Receipt) (list []*group, asking []*outlet) {
	type answer struct {
		to      *outlet
		silence error
	}
	var space [4]answer
	known := space[:0]
	admit := func(to *outlet) error {
		for i := range known {
			if known[i].to == to {
				return known[i].silence
			}
		}
		asks, silence := to.pulse.admit()
		known = append(known, answer{to, silence})
		if asks {
			asking = append(asking, to)
		}
		return silence
	}
	list = groups[:0]
	for _, g := range groups {
		if silence := admit(g.to); silence != nil {
			g.fail(silence, receipts)
			continue
		}
		list = append(list, g)
	}
	return list, asking
}

// asked says that what asked has ended.
func asked(asking []*outlet) {
	for _, to := range asking {
		to.pulse.asked()
	}
}

func onlyScriptsMissing(groups []*group) bool {
	for _, g := range groups {
		if redisErr, ok := rueidis.IsRedisErr(g.err); !ok || !redisErr.IsNoScript() {
			return false
		}
	}
	return true
}
