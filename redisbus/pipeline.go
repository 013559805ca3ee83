package redisbus

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/redis/rueidis"
)

// pipeline gathers what publishers send to one node at the same time. What
// comes while others wait for their answers goes out together, in one write
// and in as few commands as may be. A write for each of them would cost the
// relay more than all else it does for an event, and Redis about as much; the
// driver by itself gathers only what comes while its writer is writing, which
// is next to nothing.
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
	ctx    context.Context // the publisher's; nobody waits any more when it is done
	to     *outlet
	groups []*group
	size   int
	err    error         // why it got no answer
	done   chan struct{} // closed when each group has its answer
}

func newParcel(ctx context.Context, to *outlet) *parcel {
	return &parcel{ctx: ctx, to: to, size: parcelCost, done: make(chan struct{})}
}

// parcelsOf sorts groups by node.
func parcelsOf(ctx context.Context, groups []*group, parcels []*parcel) []*parcel {
	for _, g := range groups {
		i := 0
		for i < len(parcels) && parcels[i].to != g.to {
			i++
		}
		if i == len(parcels) {
			parcels = append(parcels, newParcel(ctx, g.to))
		}
		parcels[i].add(g)
	}
	return parcels
}

func (p *parcel) add(g *group) {
	p.groups = append(p.groups, g)
	p.size += g.size
	g.parcel = p
}

// await reports whether the groups have their answers; else err says why not.
func (p *parcel) await() bool {
	if p.err != nil {
		return false
	}
	select {
	case <-p.done:
		return true
	case <-p.ctx.Done():
		p.err = p.ctx.Err()
		return false
	}
}

// fail says that the parcel was not taken.
func (p *parcel) fail(err error) { p.err = err }

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

// run sends one batch after the other until nothing waits. Before each it lets
// publishers go first that could go on: what they have goes out with it.
func (l *pipeline) run(client rueidis.Client) {
	for {
		runtime.Gosched()
		batch := l.next()
		if len(batch) == 0 {
			return
		}
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

// exchange sends a batch and hands out the answers.
func (l *pipeline) exchange(client rueidis.Client, batch []*parcel) {
	// Not longer than the driver gives a connection: those who wait behind
	// this batch have deadlines of their own.
	ctx, cancel := context.WithTimeout(l.bus.ctx, commandTimeout)
	defer cancel()
	bundles := bundled(client, batch)
	commands := make([]rueidis.Completed, len(bundles))
	for i, b := range bundles {
		commands[i] = b.command(client)
	}
	for i, result := range client.DoMulti(ctx, commands...) {
		bundles[i].answer(result)
	}
	for _, p := range batch {
		close(p.done)
	}
}
