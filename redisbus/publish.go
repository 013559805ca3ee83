package redisbus

import (
	"context"
	_ "embed" // the script
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"relay/bus"
	"relay/event"
)

//go:embed publish.lua
var publishText string

var publishScript = newScript(publishText)

// Publish implements bus.Bus. All channels of the batch go out in one
// pipeline, one command a channel: the script, or plain PUBLISH where
// nothing is to be kept.
func (b *Bus) Publish(ctx context.Context, batch []bus.Publication) []bus.Receipt {
	receipts := make([]bus.Receipt, len(batch))
	client, err := b.redis()
	if err != nil {
		for i := range receipts {
			receipts[i].Err = err
		}
		return receipts
	}
	groups := admitted(b.group(client, batch, receipts), receipts)
	for attempt := 0; len(groups) > 0; attempt++ {
		replies := client.DoMulti(ctx, commands(client, groups)...)
		var again []*group
		for i, g := range groups {
			g.pulse.note(replies[i].Error(), !g.plain())
			if g.retry(replies[i].Error()) {
				again = append(again, g)
				continue
			}
			b.note(replies[i].Error())
			g.settle(replies[i], receipts)
		}
		groups = again
		if len(groups) > 0 && !onlyScriptsMissing(groups) && !sleep(ctx, backoff(attempt, 200*time.Millisecond)) {
			break
		}
	}
	for _, g := range groups {
		b.note(g.err)
		g.fail(fmt.Errorf("%w: %w", bus.ErrUnavailable, g.err), receipts)
	}
	return receipts
}

// group is what goes to one channel in one command.
type group struct {
	items []int // indexes into the batch, in order
	keys  []string
	args  []string
	// kept: history or a key is involved, so it takes the script.
	kept bool
	// full: the server does not know the script; send its text.
	full bool
	// err is why the last attempt was not executed.
	err error
	// pulse is that of the node it goes to.
	pulse *pulse
}

// group sorts a batch by channel, keeping the order within each. A
// publication that cannot be encoded is answered at once.
func (b *Bus) group(client rueidis.Client, batch []bus.Publication, receipts []bus.Receipt) []*group {
	var groups []*group
	byChannel := make(map[string]*group, min(len(batch), 16))
	for i := range batch {
		p := &batch[i]
		if b.transient(p) {
			// While this relay cannot hear, its own clients would never get an
			// event that history does not keep, and the answer must not say that
			// they did. What is kept they get when it hears again.
			scripted := len(batch) > 1 || p.Key != ""
			if deaf := b.listener.deafTo(p.Channel, scripted); deaf != nil {
				receipts[i].Err = fmt.Errorf("%w for events without history: %w", bus.ErrUnavailable, deaf)
				continue
			}
		}
		text, err := encodeBody(p)
		if err != nil {
			receipts[i].Err = fmt.Errorf("the event cannot be encoded: %w", err)
			continue
		}
		g := byChannel[p.Channel]
		if g == nil {
			g = b.newGroup(client, p.Channel, b.options.Retention(p.Channel))
			byChannel[p.Channel] = g
			groups = append(groups, g)
		}
		b.include(g, p, i, text)
	}
	return groups
}

// note logs what Redis refuses for a reason that will not pass by itself (out
// of memory, a permission, a wrong type), now and then: the app is told 503
// each time, but only whoever runs the relay can do something about it.
func (b *Bus) note(err error) {
	if redisErr, ok := rueidis.IsRedisErr(err); ok {
		b.complain.Do(func() { b.options.Log.Error("Redis refuses an event", "error", redisErr) })
	}
}

// transient reports whether history does not keep a publication.
func (b *Bus) transient(p *bus.Publication) bool {
	return p.Transient || b.options.Retention(p.Channel).Size == 0
}

// plain reports whether PUBLISH alone will do: one event, nothing to keep.
// Several go through the script, which keeps their order.
func (g *group) plain() bool { return len(g.items) == 1 && !g.kept }

// newGroup begins the arguments of the script: two keys, six arguments.
func (b *Bus) newGroup(client rueidis.Client, channel string, keep bus.Retention) *group {
	return &group{
		pulse: b.listener.pulseOf(channel),
		keys:  []string{b.stream(channel), b.head(channel)},
		args: []string{
			strconv.Itoa(keep.Size), milliseconds(keep.TTL), milliseconds(keep.PositionTTL), milliseconds(bus.KeyTTL),
			announces(client), event.NewTag().String(),
		},
	}
}

// include appends publication i of the batch.
func (b *Bus) include(g *group, p *bus.Publication, i int, text string) {
	kind, tag, fingerprint := "history", event.NewTag().String(), ""
	if b.transient(p) {
		kind, tag = "transient", ""
	} else {
		g.kept = true
	}
	if p.Key != "" {
		g.kept = true
		f := bus.FingerprintOf(p)
		fingerprint = base64.RawURLEncoding.EncodeToString(f[:])
		g.keys = append(g.keys, b.key(p.Channel, p.Key))
	}
	g.items = append(g.items, i)
	g.add(kind, tag, fingerprint, text)
}

// add appends one event's four arguments.
func (g *group) add(kind, tag, fingerprint, text string) {
	g.args = append(g.args, kind, tag, fingerprint, text)
}

// command is the script, or PUBLISH where that alone will do.
func (g *group) command(client rueidis.Client) rueidis.Completed {
	if g.plain() {
		return announcement(client, g.keys[0], g.args[len(g.args)-1])
	}
	return publishScript.command(client, g.full, g.keys, g.args)
}

func commands(client rueidis.Client, groups []*group) []rueidis.Completed {
	list := make([]rueidis.Completed, len(groups))
	for i, g := range groups {
		list[i] = g.command(client)
	}
	return list
}

// retry reports whether the command was certainly not executed and may be sent again.
func (g *group) retry(err error) bool {
	redisErr, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	g.err = redisErr
	if redisErr.IsNoScript() {
		g.full = true
		return true
	}
	return notExecuted(redisErr) && !(refusesAll(redisErr) && g.pulse.hopeless())
}

// admitted returns the groups whose nodes may be asked now; the others are
// answered.
func admitted(groups []*group, receipts []bus.Receipt) []*group {
	asked := make(map[*pulse]error, 1)
	list := groups[:0]
	for _, g := range groups {
		silence, known := asked[g.pulse]
		if !known {
			silence = g.pulse.admit()
			asked[g.pulse] = silence
		}
		if silence != nil {
			g.fail(silence, receipts)
			continue
		}
		list = append(list, g)
	}
	return list
}

func onlyScriptsMissing(groups []*group) bool {
	for _, g := range groups {
		if redisErr, ok := rueidis.IsRedisErr(g.err); !ok || !redisErr.IsNoScript() {
			return false
		}
	}
	return true
}

// settle reads the reply of a group's command into the receipts.
func (g *group) settle(reply rueidis.RedisResult, receipts []bus.Receipt) {
	if err := reply.Error(); err != nil {
		g.fail(fmt.Errorf("%w: %w", bus.ErrUnavailable, err), receipts)
		return
	}
	if g.plain() {
		n, err := reply.AsInt64()
		receipts[g.items[0]] = bus.Receipt{Receivers: int(n), Err: err}
		return
	}
	answers, err := reply.ToArray()
	if err != nil || len(answers) != len(g.items) {
		g.fail(fmt.Errorf("%w: the publish script answered something else than it should", bus.ErrUnavailable), receipts)
		return
	}
	for n, i := range g.items {
		receipts[i] = receipt(answers[n])
	}
}

// receipt reads the script's answer for one event: a position, "=" and the
// position (or nothing) for a repeat, "!" for a key used otherwise, or the
// number of receivers of an event that is not kept.
func receipt(answer rueidis.RedisMessage) bus.Receipt {
	if n, err := answer.AsInt64(); err == nil && answer.IsInt64() {
		return bus.Receipt{Receivers: int(n)}
	}
	text, err := answer.ToString()
	if err != nil {
		return bus.Receipt{Err: fmt.Errorf("%w: %w", bus.ErrUnavailable, err)}
	}
	if text == "!" {
		return bus.Receipt{Err: bus.ErrKeyReused}
	}
	position, duplicate := strings.CutPrefix(text, "=")
	if position == "" {
		return bus.Receipt{Duplicate: duplicate}
	}
	id, err := event.ParsePosition(position)
	if err != nil {
		return bus.Receipt{Err: fmt.Errorf("%w: %w", bus.ErrUnavailable, err)}
	}
	return bus.Receipt{ID: id, Duplicate: duplicate}
}

func (g *group) fail(err error, receipts []bus.Receipt) {
	for _, i := range g.items {
		receipts[i] = bus.Receipt{Err: err}
	}
}
