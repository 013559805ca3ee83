package hub_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"relay/bus"
	"relay/event"
	"relay/hub"
)

// moment is an event that was published, or the beginning of a history. The
// truth is a tree of them: a failover loses the end of a branch, and history
// goes on with another one.
type moment struct {
	id      event.Position
	before  *moment // nil for a beginning
	turn    int     // in the order in which all was published
	data    []byte
	exclude []string
	dead    bool // it was lost to a failover, or with all of its history
	gone    bool // it can no longer be read
}

// follows reports whether m comes right after at for a client to which the
// events that skip names are not told.
func (m *moment) follows(at *moment, skip func(*moment) bool) bool {
	for before := m.before; before != nil; before = before.before {
		if before == at {
			return true
		}
		if !skip(before) {
			return false
		}
	}
	return false
}

// lostBus keeps the history of one channel, and loses of it what it is told
// to. It never forgets the truth.
type lostBus struct {
	hub bus.Receiver

	mu      sync.Mutex
	head    *moment
	entries []*moment
	truth   map[event.Tag]*moment
	flushes int
	turn    int
	said    map[string]int // the turns of the events without history

	dice  *rand.Rand
	calm  bool // no faults of chance
	deaf  bool // nothing is heard
	late  []bus.Delivery
	reads int
}

var _ bus.Bus = (*lostBus)(nil)

func newLostBus(seed uint64) *lostBus {
	return &lostBus{
		truth: make(map[event.Tag]*moment), said: make(map[string]int),
		dice: rand.New(rand.NewPCG(seed, 3)),
	}
}

func (b *lostBus) Attach(r bus.Receiver) { b.hub = r }

func (b *lostBus) Listen(channel string) { b.hub.Listening(channel) }

func (b *lostBus) Unlisten(string) {}

func (b *lostBus) Healthy() error { return nil }

func (b *lostBus) Close() {}

// begin begins a new history if there is none.
func (b *lostBus) begin() (created bool) {
	if b.head != nil {
		return false
	}
	b.head = &moment{turn: b.turn, id: event.Position{Time: time.Now().UnixMilli(), Tag: event.NewTag()}}
	b.truth[b.head.id.Tag] = b.head
	return true
}

func (b *lostBus) Publish(_ context.Context, batch []bus.Publication) []bus.Receipt {
	receipts := make([]bus.Receipt, len(batch))
	for i, p := range batch {
		if p.Channel[0] == '_' {
			receipts[i].Receivers = 1
			b.hub.Deliver(bus.Delivery{Event: &event.Event{Channel: p.Channel, Name: p.Name, Data: p.Data}})
			continue
		}
		b.mu.Lock()
		heard := b.publish(p)
		receipts[i].ID = b.head.id
		b.mu.Unlock()
		for _, d := range heard {
			b.hub.Deliver(d)
		}
	}
	return receipts
}

// publish returns what is heard of it and of what was held back earlier.
func (b *lostBus) publish(p bus.Publication) []bus.Delivery {
	b.begin()
	b.turn++
	d := bus.Delivery{Event: &event.Event{Channel: p.Channel, Name: p.Name, Data: p.Data, Exclude: p.Exclude}}
	if p.Transient {
		b.said[string(p.Data)] = b.turn
		if !b.calm && b.dice.IntN(6) == 0 {
			return nil
		}
		return []bus.Delivery{d}
	}
	d.Previous = b.head.id.Tag
	m := &moment{before: b.head, turn: b.turn, data: p.Data, exclude: p.Exclude, id: event.Position{
		Time: max(time.Now().UnixMilli(), b.head.id.Time), Offset: b.head.id.Offset + 1, Tag: event.NewTag(),
	}}
	b.truth[m.id.Tag] = m
	b.head, b.entries = m, append(b.entries, m)
	d.Event.ID = m.id
	if b.deaf {
		return nil
	}
	return b.onItsWay(d)
}

func (b *lostBus) onItsWay(d bus.Delivery) []bus.Delivery {
	if b.calm {
		return []bus.Delivery{d}
	}
	switch b.dice.IntN(14) {
	case 0:
		return nil
	case 1:
		return []bus.Delivery{d, d}
	case 2:
		b.late = append(b.late, d)
		return nil
	case 3:
		list := append([]bus.Delivery{d}, b.late...)
		b.late = nil
		return list
	}
	return []bus.Delivery{d}
}

var errAway = errors.New("away")

func (b *lostBus) Resume(_ context.Context, channel string, from bus.From, limit int) (bus.Page, error) {
	b.mu.Lock()
	b.reads++
	lag, gap := b.dice.IntN(15), b.dice.IntN(15)
	calm := b.calm
	away := !calm && b.dice.IntN(20) == 0
	b.mu.Unlock()
	if calm {
		time.Sleep(time.Millisecond)
		return b.read(channel, from, limit), nil
	}
	time.Sleep(time.Duration(lag) * time.Millisecond)
	if away {
		return bus.Page{}, errAway
	}
	page := b.read(channel, from, limit)
	time.Sleep(time.Duration(gap) * time.Millisecond)
	return page, nil
}

func (b *lostBus) read(channel string, from bus.From, limit int) bus.Page {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := bus.Snapshot{Created: b.begin(), Head: b.head.id}
	if from != bus.FromNow() && len(b.entries) > 0 {
		s.Oldest = b.entries[0].id
	}
	at, positioned := from.Position()
	for _, m := range b.entries {
		wanted := from.Start() || positioned && (m.id.Time > at.Time || m.id.Time == at.Time && m.id.Offset >= at.Offset)
		if wanted && len(s.Entries) < bus.SnapshotSize(limit) {
			s.Entries = append(s.Entries, bus.Delivery{Previous: m.before.id.Tag, Event: &event.Event{
				Channel: channel, Name: "n", Data: m.data, Exclude: m.exclude, ID: m.id,
			}})
		}
	}
	return bus.Decide(s, from, limit)
}

func (b *lostBus) Heads(_ context.Context, channels []string) map[string]event.Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	heads := make(map[string]event.Position)
	for _, channel := range channels {
		heads[channel] = event.Position{}
		if b.head != nil {
			heads[channel] = b.head.id
		}
	}
	return heads
}

func (b *lostBus) Delete(context.Context, string) error {
	b.trim(len(b.entries))
	return nil
}

// deafen does something of which the hub hears nothing.
func (b *lostBus) deafen(do func()) {
	set := func(deaf bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.deaf = deaf
	}
	set(true)
	defer set(false)
	do()
}

func (b *lostBus) trim(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.entries))
	for _, m := range b.entries[:n] {
		m.gone = true
	}
	b.entries = slices.Clone(b.entries[n:])
}

// lose is a failover to a replica that lacks the last n events.
func (b *lostBus) lose(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; n > 0 && b.head != nil && b.head.before != nil; n-- {
		b.head.dead = true
		b.entries = slices.DeleteFunc(b.entries, func(m *moment) bool { return m == b.head })
		b.head = b.head.before
	}
}

func (b *lostBus) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.truth {
		m.dead = true
	}
	b.head, b.entries = nil, nil
	b.flushes++
}

// settle ends the faults, and lets the hub hear that it may have missed something.
func (b *lostBus) settle() {
	b.mu.Lock()
	b.calm = true
	b.mu.Unlock()
	b.hub.Listening("a")
}

func (b *lostBus) moment(id event.Position) *moment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.truth[id.Tag]
}

func (b *lostBus) readCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads
}

// exact is a format with all of a position in it.
type exact struct{ plain }

func (exact) Encode(f *hub.Frame) []byte {
	switch {
	case f.Type == hub.FrameLive:
		return nil
	case f.Event != nil && f.ID.IsZero():
		return fmt.Appendf(nil, "transient %s\n", f.Event.Data)
	case f.Event != nil || f.Type == hub.FrameReset || f.Type == hub.FrameSubscribed:
		text := fmt.Sprint(f.Type, " ", f.ID, " ", f.Reason)
		if f.Recovered != nil {
			text += fmt.Sprint(*f.Recovered)
		}
		return []byte(text + "\n")
	}
	return []byte(f.Type + "\n")
}
