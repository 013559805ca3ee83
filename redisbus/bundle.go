package redisbus

import (
	"context"
	_ "embed" // the script
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"relay/bus"
	"relay/event"
)

//go:embed publish.lua
var publishText string

var publishScript = newScript(publishText)

// bundle is what goes out in one command: groups of several channels, which
// cost Redis half of what they would cost one by one. Each of them is written
// and answered for itself. In a Cluster, where a command may have keys of one
// slot only, it is one group, and so it is where PUBLISH alone will do.
type bundle struct {
	groups []*group
	keep   bus.Retention // of all
	full   bool
	size   int // bytes
}

// One call holds up whatever else Redis has to do: for 1 ms at most, unless
// one group alone is larger.
const (
	maxBundle      = 128 // groups
	maxBundleBytes = 64 << 10
)

// bundled puts what goes to one node into as few commands as may be. Groups of
// one channel keep their order.
func bundled(client rueidis.Client, parcels []*parcel) (list []*bundle) {
	several := client.Mode() != rueidis.ClientModeCluster
	var open []*bundle
	for _, p := range parcels {
		for _, g := range p.groups {
			shares := several && !g.plain()
			if shares {
				if b := opened(open, g); b != nil {
					b.add(g)
					continue
				}
			}
			b := newBundle(g)
			list = append(list, b)
			if shares {
				open = append(open, b)
			}
		}
	}
	return list
}

func newBundle(g *group) *bundle {
	return &bundle{groups: []*group{g}, keep: g.keep, full: g.full, size: g.size}
}

// opened finds the bundle in which there is room for g. The last one, since
// that is where groups of g's channel may be.
func opened(open []*bundle, g *group) *bundle {
	for _, b := range slices.Backward(open) {
		if b.keep == g.keep && b.full == g.full {
			if len(b.groups) < maxBundle && b.size+g.size <= maxBundleBytes {
				return b
			}
			return nil
		}
	}
	return nil
}

func (b *bundle) add(g *group) {
	b.groups = append(b.groups, g)
	b.size += g.size
}

// command is the script, or PUBLISH where that alone will do.
//
// The script's keys are those of its groups. Its arguments are six that hold
// for all, and for each group the number of its events and of their
// idempotency keys, then label and body of each event.
func (b *bundle) command(client rueidis.Client) rueidis.Completed {
	if g := b.groups[0]; g.plain() {
		return announcement(client, g.keys[0], g.body(&g.items[0]))
	}
	keys := 0
	for _, g := range b.groups {
		keys += len(g.keys)
	}
	name, what := publishScript.call(b.full)
	c := client.B().Arbitrary(name, what, strconv.Itoa(keys))
	for _, g := range b.groups {
		c = c.Keys(g.keys...)
	}
	c = c.Args(announces(client), event.NewTag().String(),
		strconv.Itoa(b.keep.Size), milliseconds(b.keep.TTL), milliseconds(b.keep.PositionTTL), milliseconds(bus.KeyTTL))
	for _, g := range b.groups {
		c = c.Args(strconv.Itoa(len(g.items)), strconv.Itoa(len(g.keys)-2))
		for i := range g.items {
			c = c.Args(g.label(&g.items[i]), g.body(&g.items[i]))
		}
	}
	return c.Build()
}

// alone sends the group in a command of its own.
func (g *group) alone(ctx context.Context, client rueidis.Client) error {
	b := newBundle(g)
	b.answer(client.Do(ctx, b.command(client)))
	return g.answer.err
}

// answer hands each group its part of the reply: an error, or the time and
// what became of each event, see item.receipt.
func (b *bundle) answer(result rueidis.RedisResult) {
	if b.groups[0].plain() {
		message, err := result.ToMessage()
		b.groups[0].answer = reply{[]rueidis.RedisMessage{message}, err}
		return
	}
	values, err := result.ToArray()
	for _, g := range b.groups {
		g.answer = reply{err: err}
		if err != nil {
			continue
		}
		n := 1 + len(g.items)
		if len(values) > 0 && values[0].Error() != nil {
			g.answer.err, values = values[0].Error(), values[1:]
			continue
		}
		if len(values) < n {
			g.answer.err, values = errReply, nil
			continue
		}
		g.answer.values, values = values[:n:n], values[n:]
	}
}
