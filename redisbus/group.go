package redisbus

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"relay/bus"
	"relay/event"
)

// group is what goes to one channel, in order.
type group struct {
	to    *outlet
	keep  bus.Retention
	items []item
	// keys are the channel's stream and head, and one for each event that has
	// an idempotency key.
	keys []string
	// text holds the labels and bodies of all groups of a batch.
	text string
	size int // of its part of the text
	// kept: history or a key is involved, so it takes the script.
	kept bool
	// full: the server does not know the script; send its text.
	full bool

	// parcel is what it was sent in, and answer what Redis said to it; only
	// for whoever waited until the parcel was done.
	parcel *parcel
	answer reply
	// reply is what the last attempt came to.
	reply reply
	// err is why the last attempt was not executed.
	err error

	// What most groups need, in one piece with it.
	firstItem [1]item
	firstKeys [2]string
}

// item is one event of a group.
type item struct {
	index int // in the batch
	tag   event.Tag
	// Where its label begins in the text, its body begins, and its body ends.
	label, body, end int
}

// reply is what Redis said to a group: a number and one value for each item.
type reply struct {
	values []rueidis.RedisMessage
	err    error
}

// group sorts a batch by channel, keeping the order within each. A
// publication that cannot be encoded is answered at once.
func (b *Bus) group(batch []bus.Publication, receipts []bus.Receipt) []*group {
	groups := make([]*group, 0, min(len(batch), 16))
	var byChannel map[string]*group
	if len(batch) > 1 {
		byChannel = make(map[string]*group, min(len(batch), 128))
	}
	text := make([]byte, 0, textSize(batch))
	for i := range batch {
		p := &batch[i]
		g := byChannel[p.Channel]
		if g == nil {
			g = b.newGroup(p.Channel, b.options.Retention(p.Channel))
		}
		if g.transient(p) {
			// While this relay cannot hear, its own clients would never get an
			// event that history does not keep, and the answer must not say that
			// they did. What is kept they get when it hears again.
			scripted := len(batch) > 1 || p.Key != ""
			if deaf := b.listener.deafTo(p.Channel, scripted); deaf != nil {
				receipts[i].Err = fmt.Errorf("%w for events without history: %w", bus.ErrUnavailable, deaf)
				continue
			}
		}
		included, err := b.include(g, text, p, i)
		if err != nil {
			receipts[i].Err = fmt.Errorf("the event cannot be encoded: %w", err)
			continue
		}
		text = included
		if len(g.items) == 1 {
			groups = append(groups, g)
			if byChannel != nil {
				byChannel[p.Channel] = g
			}
		}
	}
	whole := string(text)
	for _, g := range groups {
		g.text = whole
	}
	return groups
}

// textSize is about how much text a batch makes.
func textSize(batch []bus.Publication) (n int) {
	for i := range batch {
		n += len(batch[i].Name) + len(batch[i].Data) + labelSize + len(`{"event":"","data":,"at":1795334400123456}`)
	}
	return n
}

// labelSize is the length of the label of an event with history and a key.
const labelSize = len(event.Tag{}) + 1 + 22

func (b *Bus) newGroup(channel string, keep bus.Retention) *group {
	head := b.head(channel)
	g := &group{to: b.listener.outletOf(channel), keep: keep}
	g.firstKeys = [2]string{head[1 : len(head)-2], head} // "{" + the stream + "}h"
	g.keys, g.items = g.firstKeys[:], g.firstItem[:0]
	return g
}

// transient reports whether history does not keep a publication.
func (g *group) transient(p *bus.Publication) bool { return p.Transient || g.keep.Size == 0 }

// include appends publication i of the batch to the text: its label, then its
// body. The label is the tag, and nothing for an event that is not kept; a
// fingerprint follows behind a space if there is an idempotency key.
func (b *Bus) include(g *group, text []byte, p *bus.Publication, i int) ([]byte, error) {
	it := item{index: i, label: len(text)}
	if !g.transient(p) {
		it.tag = event.NewTag()
		text = append(text, it.tag[:]...)
	}
	if p.Key != "" {
		f := bus.FingerprintOf(p)
		text = base64.RawURLEncoding.AppendEncode(append(text, ' '), f[:])
	}
	it.body = len(text)
	text, err := appendBody(text, p, g.to.clock.toNode(p.Posted))
	if err != nil {
		return nil, err
	}
	it.end = len(text)
	g.items = append(g.items, it)
	g.size += it.end - it.label
	if p.Key != "" {
		g.keys = append(g.keys, b.key(p.Channel, p.Key))
	}
	g.kept = g.kept || p.Key != "" || !g.transient(p)
	return text, nil
}

func (g *group) label(it *item) string { return g.text[it.label:it.body] }

func (g *group) body(it *item) string { return g.text[it.body:it.end] }

// hold makes the group one event that is kept, of which only the body matters.
func (g *group) hold(body string) {
	it := item{tag: event.NewTag(), body: len(event.Tag{}), end: len(event.Tag{}) + len(body)}
	g.text, g.items, g.kept = it.tag.String()+body, append(g.items, it), true
}

// plain reports whether PUBLISH alone will do: one event, nothing to keep.
// Several go through the script, which keeps their order.
func (g *group) plain() bool { return len(g.items) == 1 && !g.kept }

// await sets the reply.
func (g *group) await() {
	if g.parcel.await() {
		g.reply = g.answer
		return
	}
	g.reply = reply{err: g.parcel.err}
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

// settle reads the reply into the receipts.
func (g *group) settle(receipts []bus.Receipt) {
	if err := g.reply.err; err != nil {
		g.fail(fmt.Errorf("%w: %w", bus.ErrUnavailable, err), receipts)
		return
	}
	if g.plain() {
		n, err := g.reply.values[0].AsInt64()
		receipts[g.items[0].index] = bus.Receipt{Receivers: int(n), Err: err}
		return
	}
	ms, err := g.reply.values[0].AsInt64()
	if err != nil {
		g.fail(fmt.Errorf("%w: %w", bus.ErrUnavailable, err), receipts)
		return
	}
	for n := range g.items {
		it := &g.items[n]
		r, err := it.receipt(ms, g.reply.values[n+1])
		if err != nil {
			r.Err = fmt.Errorf("%w: %w", bus.ErrUnavailable, err)
		}
		receipts[it.index] = r
	}
}

// receipt reads the script's answer for one event: its number in the channel,
// or how many heard it if it is not kept; "=" and the position (or nothing)
// for a repeat, and "!" for a key used otherwise. ms is when all events of the
// group were published.
func (it *item) receipt(ms int64, answer rueidis.RedisMessage) (r bus.Receipt, err error) {
	if answer.IsInt64() {
		n, err := answer.AsInt64()
		if it.tag == (event.Tag{}) {
			return bus.Receipt{Receivers: int(n)}, err
		}
		return bus.Receipt{ID: event.Position{Time: ms, Offset: uint64(n), Tag: it.tag}}, err
	}
	text, err := answer.ToString()
	if err != nil {
		return r, err
	}
	if text == "!" {
		return bus.Receipt{Err: bus.ErrKeyReused}, nil
	}
	position, duplicate := strings.CutPrefix(text, "=")
	if !duplicate {
		return r, errReply
	}
	if position != "" {
		r.ID, err = event.ParsePosition(position)
	}
	r.Duplicate = err == nil
	return r, err
}

func (g *group) fail(err error, receipts []bus.Receipt) {
	for i := range g.items {
		receipts[g.items[i].index] = bus.Receipt{Err: err}
	}
}

var errReply = errors.New("the script answered something else than it should")
