package redisbus

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/rueidis"
)

// pipeline gathers what publishers send to one node at the same time. What
// comes while others wait for their answers goes out together, in one write.
// A write for each of them would cost the relay more than all else it does for
// an event, and Redis about as much; the driver by itself gathers only what
// comes while its writer is writing, which is next to nothing.
type pipeline struct {
	bus *Bus

	mu       sync.Mutex
	waiting  []*parcel
	underway int // batches
	held     int // bytes of the parcels that wait or are under way
}

const (
	// maxUnderway is how many batches are. With one alone Redis would be idle
	// while its answer travels; with many, each would be small.
	maxUnderway = 2
	// maxHeld bounds what one node has not answered yet. If Redis is slower
	// than the app, the app is told at once, and memory does not fill.
	maxHeld = 64 << 20
	// parcelCost is what a request that waits takes besides its text.
	parcelCost = 16 << 10
)

var errOverwhelmed = errors.New("too many events wait for Redis already; it is slower than they come")

// parcel is what one publisher sends to one node.
type parcel struct {
	ctx      context.Context // the publisher's; nobody waits any more when it is done
	groups   []*group
	commands []rueidis.Completed // one a group
	replies  []rueidis.RedisResult
	size     int
	done     chan struct{} // closed when there are replies
}

func newParcel(ctx context.Context) *parcel {
	return &parcel{ctx: ctx, size: parcelCost, done: make(chan struct{})}
}

func (p *parcel) add(client rueidis.Client, g *group) {
	p.groups = append(p.groups, g)
	p.commands = append(p.commands, g.command(client))
	p.size += len(g.text)
}

// await sets the reply of each group.
func (p *parcel) await() {
	select {
	case <-p.done:
		for i, g := range p.groups {
			g.reply = p.replies[i]
		}
	case <-p.ctx.Done():
		p.fail(p.ctx.Err())
	}
}

func (p *parcel) fail(err error) {
	for _, g := range p.groups {
		g.reply = rueidis.NewErrorResult(err)
	}
}

// send takes a parcel in, or says why not.
func (l *pipeline) send(client rueidis.Client, p *parcel) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	// One alone may be as large as it likes: api bounds a request.
	if l.held > 0 && l.held+p.size > maxHeld {
		return errOverwhelmed
	}
	if l.underway < maxUnderway {
		if !l.bus.begin(func() { l.run(client) }) {
			return context.Canceled
		}
		l.underway++
	}
	l.held += p.size
	l.waiting = append(l.waiting, p)
	return nil
}

// run sends one batch after the other until nothing waits.
func (l *pipeline) run(client rueidis.Client) {
	for batch := l.next(); len(batch) > 0; batch = l.next() {
		l.exchange(client, batch)
		l.mu.Lock()
		for _, p := range batch {
			l.held -= p.size
		}
		l.mu.Unlock()
	}
}

// next takes all that waits and is still waited for. If that is nothing, the
// one who asks has to end.
func (l *pipeline) next() (batch []*parcel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.waiting {
		if p.ctx.Err() != nil {
			l.held -= p.size
			continue
		}
		batch = append(batch, p)
	}
	l.waiting = nil
	if len(batch) == 0 {
		l.underway--
	}
	return batch
}

// exchange sends a batch and hands out the replies.
func (l *pipeline) exchange(client rueidis.Client, batch []*parcel) {
	// Not longer than the driver gives a connection: those who wait behind
	// this batch have deadlines of their own.
	ctx, cancel := context.WithTimeout(l.bus.ctx, commandTimeout)
	defer cancel()
	commands := batch[0].commands
	for _, p := range batch[1:] {
		commands = append(commands, p.commands...)
	}
	replies := client.DoMulti(ctx, commands...)
	for _, p := range batch {
		p.replies, replies = replies[:len(p.commands)], replies[len(p.commands):]
		close(p.done)
	}
}
