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

// Publish implements bus.Bus. All channels of the batch go out together, one
// command a channel: the script, or plain PUBLISH where nothing is to be kept.
func (b *Bus) Publish(ctx context.Context, batch []bus.Publication) []bus.Receipt {
	receipts := make([]bus.Receipt, len(batch))
	client, err := b.redis()
	if err != nil {
		for i := range receipts {
			receipts[i].Err = err
		}
		return receipts
	}
	groups, asked := admitted(b.group(client, batch, receipts), receipts)
	defer asked()
	for attempt := 0; len(groups) > 0; attempt++ {
		ask(ctx, client, groups)
		var again []*group
		for _, g := range groups {
			g.to.pulse.note(g.reply.Error(), !g.plain())
			if g.retry(g.reply.Error()) {
				again = append(again, g)
				continue
			}
			b.note(g.reply.Error())
			g.settle(receipts)
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

// outlet is a Redis node as publishers know it.
type outlet struct {
	pulse    pulse
	pipeline pipeline
	clock    clock
}

// ask sends each group's command to its node and waits for all replies.
func ask(ctx context.Context, client rueidis.Client, groups []*group) {
	parcels := make(map[*outlet]*parcel, 1)
	for _, g := range groups {
		p := parcels[g.to]
		if p == nil {
			p = newParcel(ctx)
			parcels[g.to] = p
		}
		p.add(client, g)
	}
	for to, p := range parcels {
		if err := to.pipeline.send(client, p); err != nil {
			p.fail(err)
			delete(parcels, to)
		}
	}
	for _, p := range parcels {
		p.await()
	}
}

// group is what goes to one channel in one command.
type group struct {
	items []int // indexes into the batch, in order
	keys  []string
	// The script's arguments, one after the other, and where each ends: an
	// array of a hundred events has three hundred, and they share one string.
	text []byte
	ends []int
	// kept: history or a key is involved, so it takes the script.
	kept bool
	// full: the server does not know the script; send its text.
	full bool
	// reply is that of the last attempt.
	reply rueidis.RedisResult
	// err is why the last attempt was not executed.
	err error
	to  *outlet
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
		g := byChannel[p.Channel]
		if g == nil {
			g = b.newGroup(client, p.Channel, b.options.Retention(p.Channel))
		}
		if err := b.include(g, p, i); err != nil {
			receipts[i].Err = fmt.Errorf("the event cannot be encoded: %w", err)
			continue
		}
		if len(g.items) == 1 {
			byChannel[p.Channel] = g
			groups = append(groups, g)
		}
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
	g := &group{
		to:   b.listener.outletOf(channel),
		keys: []string{b.stream(channel), b.head(channel)},
		text: make([]byte, 0, 512),
		ends: make([]int, 0, 6+3),
	}
	g.addNumber(int64(keep.Size))
	g.addNumber(keep.TTL.Milliseconds())
	g.addNumber(keep.PositionTTL.Milliseconds())
	g.addNumber(bus.KeyTTL.Milliseconds())
	g.add(announces(client))
	g.addTag(event.NewTag())
	return g
}

// include appends publication i of the batch: three arguments, of which an
// event that is not kept has no tag, and one without a key no fingerprint.
func (b *Bus) include(g *group, p *bus.Publication, i int) error {
	begun, ends := len(g.text), len(g.ends)
	if b.transient(p) {
		g.add("")
	} else {
		g.addTag(event.NewTag())
	}
	if p.Key == "" {
		g.add("")
	} else {
		f := bus.FingerprintOf(p)
		g.text = base64.RawURLEncoding.AppendEncode(g.text, f[:])
		g.end()
	}
	text, err := appendBody(g.text, p, g.to.clock.toNode(p.Posted))
	if err != nil {
		g.text, g.ends = g.text[:begun], g.ends[:ends]
		return err
	}
	g.text = text
	g.end()
	g.items = append(g.items, i)
	if p.Key != "" {
		g.keys = append(g.keys, b.key(p.Channel, p.Key))
	}
	g.kept = g.kept || p.Key != "" || !b.transient(p)
	return nil
}

func (g *group) add(argument string) {
	g.text = append(g.text, argument...)
	g.end()
}

func (g *group) addNumber(n int64) {
	g.text = strconv.AppendInt(g.text, n, 10)
	g.end()
}

func (g *group) addTag(t event.Tag) {
	g.text = append(g.text, t[:]...)
	g.end()
}

// end ends the argument whose text has been appended.
func (g *group) end() { g.ends = append(g.ends, len(g.text)) }

func (g *group) arguments() []string {
	text, args, begin := string(g.text), make([]string, len(g.ends)), 0
	for i, end := range g.ends {
		args[i], begin = text[begin:end], end
	}
	return args
}

// command is the script, or PUBLISH where that alone will do.
func (g *group) command(client rueidis.Client) rueidis.Completed {
	args := g.arguments()
	if g.plain() {
		return announcement(client, g.keys[0], args[len(args)-1])
	}
	return publishScript.command(client, g.full, g.keys, args)
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
	return notExecuted(redisErr) && !(refusesAll(redisErr) && g.to.pulse.hopeless())
}

// admitted returns the groups whose nodes may be asked now; the others are
// answered. To be called when it is over: asked.
func admitted(groups []*group, receipts []bus.Receipt) (_ []*group, asked func()) {
	found := make(map[*outlet]error, 1)
	var asking []*outlet
	list := groups[:0]
	for _, g := range groups {
		silence, known := found[g.to]
		if !known {
			var asks bool
			asks, silence = g.to.pulse.admit()
			found[g.to] = silence
			if asks {
				asking = append(asking, g.to)
			}
		}
		if silence != nil {
			g.fail(silence, receipts)
			continue
		}
		list = append(list, g)
	}
	return list, func() {
		for _, to := range asking {
			to.pulse.asked()
		}
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

// settle reads the reply of a group's command into the receipts.
func (g *group) settle(receipts []bus.Receipt) {
	if err := g.reply.Error(); err != nil {
		g.fail(fmt.Errorf("%w: %w", bus.ErrUnavailable, err), receipts)
		return
	}
	if g.plain() {
		n, err := g.reply.AsInt64()
		receipts[g.items[0]] = bus.Receipt{Receivers: int(n), Err: err}
		return
	}
	answers, err := g.reply.ToArray()
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
