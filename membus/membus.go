// Package membus is the bus of a relay that stands alone: history and
// delivery within one process, nothing on disk. It keeps the same promises as
// redisbus, by the same rules, for as long as the process lives.
package membus

import (
	"context"
	"sync"
	"time"

	"relay/bus"
	"relay/event"
)

// sweepEvery is how often channels and keys whose time is over are removed.
const sweepEvery = 10 * time.Second

// Bus implements bus.Bus.
type Bus struct {
	// Fixed after New.
	keep    bus.Keep
	stop    chan struct{}
	stopped chan struct{}

	mu       sync.Mutex
	receiver bus.Receiver
	wanted   map[string]bool
	channels map[string]*channel
	keys     keyring
	closed   bool
}

// channel is one channel's history. Guarded by Bus.mu.
type channel struct {
	keep    bus.Retention
	head    event.Position
	entries []bus.Delivery // oldest first; their times are in ID.Time
	used    time.Time      // last publish or resume; renews the position
}

// New makes a bus that keeps of each channel what keep says.
func New(keep bus.Keep) *Bus {
	b := &Bus{
		keep:     keep,
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
		wanted:   make(map[string]bool),
		channels: make(map[string]*channel),
		keys:     keyring{used: make(map[keyName]usedKey)},
	}
	go b.sweepLoop()
	return b
}

// Attach implements bus.Bus.
func (b *Bus) Attach(r bus.Receiver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receiver = r
}

// Listen implements bus.Bus. Here the wish is fulfilled at once.
func (b *Bus) Listen(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.wanted[name] {
		return
	}
	b.wanted[name] = true
	b.receiver.Listening(name)
}

// Unlisten implements bus.Bus.
func (b *Bus) Unlisten(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.wanted, name)
}

// Publish implements bus.Bus.
func (b *Bus) Publish(_ context.Context, batch []bus.Publication) []bus.Receipt {
	receipts := make([]bus.Receipt, len(batch))
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range batch {
		if b.closed {
			receipts[i].Err = bus.ErrUnavailable
			continue
		}
		receipts[i] = b.publish(&batch[i])
	}
	return receipts
}

func (b *Bus) publish(p *bus.Publication) bus.Receipt {
	now := time.Now()
	name := keyName{p.Channel, p.Key}
	if p.Key != "" {
		b.keys.expire(now)
		if k, ok := b.keys.used[name]; ok {
			if k.print != bus.FingerprintOf(p) {
				return bus.Receipt{Err: bus.ErrKeyReused}
			}
			return bus.Receipt{ID: k.id, Duplicate: true}
		}
	}
	d := bus.Delivery{Event: &event.Event{
		Channel: p.Channel, Name: p.Name, Data: p.Data, Exclude: p.Exclude, Posted: p.Posted,
	}}
	if !p.Transient && b.keep(p.Channel).Size > 0 {
		c := b.channel(p.Channel, now)
		d.Previous = c.head.Tag
		d.Event.ID = c.next(now)
		c.append(d, now)
	}
	if p.Key != "" {
		b.keys.remember(name, usedKey{id: d.Event.ID, print: bus.FingerprintOf(p), until: now.Add(bus.KeyTTL)})
	}
	receivers := 0
	if b.wanted[p.Channel] {
		receivers = 1
		b.receiver.Deliver(d)
	}
	return bus.Receipt{ID: d.Event.ID, Receivers: receivers}
}

// channel returns the channel's history, begun anew if its position is not known.
func (b *Bus) channel(name string, now time.Time) *channel {
	c := b.channels[name]
	if c == nil || c.forgotten(now) {
		c = &channel{keep: b.keep(name), head: event.Position{Time: now.UnixMilli(), Tag: event.NewTag()}}
		b.channels[name] = c
	}
	c.used = now
	return c
}

func (c *channel) forgotten(now time.Time) bool { return now.Sub(c.used) >= c.keep.PositionTTL }

// next returns the position of the next event. Time never steps back, even if
// the clock does.
func (c *channel) next(now time.Time) event.Position {
	return event.Position{
		Time:   max(now.UnixMilli(), c.head.Time),
		Offset: c.head.Offset + 1,
		Tag:    event.NewTag(),
	}
}

func (c *channel) append(d bus.Delivery, now time.Time) {
	c.expire(now)
	c.entries = append(c.entries, d)
	if over := len(c.entries) - c.keep.Size; over > 0 {
		c.drop(over)
	}
	c.head = d.Event.ID
}

// expire drops the entries whose time is over.
func (c *channel) expire(now time.Time) {
	oldest := now.Add(-c.keep.TTL).UnixMilli()
	n := 0
	for n < len(c.entries) && c.entries[n].Event.ID.Time <= oldest {
		n++
	}
	c.drop(n)
}

// drop removes the n oldest entries, and lets go of their memory now and then.
func (c *channel) drop(n int) {
	clear(c.entries[:n])
	c.entries = c.entries[n:]
	if len(c.entries) == 0 {
		c.entries = nil
	}
}

// Resume implements bus.Bus.
func (b *Bus) Resume(_ context.Context, name string, from bus.From, limit int) (bus.Page, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return bus.Page{}, bus.ErrUnavailable
	}
	now := time.Now()
	old := b.channels[name]
	c := b.channel(name, now)
	c.expire(now)
	s := bus.Snapshot{Head: c.head, Created: c != old}
	if len(c.entries) > 0 {
		s.Oldest = c.entries[0].Event.ID
	}
	s.Entries = c.since(from, bus.SnapshotSize(limit))
	return bus.Decide(s, from, limit), nil
}

func (c *channel) since(from bus.From, most int) []bus.Delivery {
	i := 0
	if at, ok := from.Position(); ok {
		for i < len(c.entries) && before(c.entries[i].Event.ID, at) {
			i++
		}
	} else if !from.Start() {
		return nil
	}
	found := c.entries[i:]
	// The caller reads after the lock is gone, while append and drop go on.
	return append([]bus.Delivery(nil), found[:min(len(found), most)]...)
}

// before compares as Redis compares the IDs of stream entries.
func before(a, b event.Position) bool {
	return a.Time < b.Time || a.Time == b.Time && a.Offset < b.Offset
}

// Heads implements bus.Bus.
func (b *Bus) Heads(_ context.Context, channels []string) map[string]event.Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	now := time.Now()
	heads := make(map[string]event.Position, len(channels))
	for _, name := range channels {
		heads[name] = event.Position{}
		if c := b.channels[name]; c != nil && !c.forgotten(now) {
			c.used = now
			heads[name] = c.head
		}
	}
	return heads
}

// Delete implements bus.Bus.
func (b *Bus) Delete(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return bus.ErrUnavailable
	}
	if c := b.channels[name]; c != nil {
		c.entries = nil
	}
	return nil
}

// Healthy implements bus.Bus.
func (b *Bus) Healthy() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return bus.ErrUnavailable
	}
	return nil
}

// Close implements bus.Bus.
func (b *Bus) Close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.stop)
	}
	b.mu.Unlock()
	<-b.stopped
}

func (b *Bus) sweepLoop() {
	defer close(b.stopped)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case now := <-tick.C:
			b.sweep(now)
		}
	}
}

func (b *Bus) sweep(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys.expire(now)
	for name, c := range b.channels {
		c.expire(now)
		if c.forgotten(now) {
			delete(b.channels, name)
		}
	}
}

var _ bus.Bus = (*Bus)(nil)
