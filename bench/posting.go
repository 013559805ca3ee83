package bench

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"relay/bench/load"
	"relay/bench/measure"
)

// posting is publishers that post to channels. Each has a lane of its own, on
// which it numbers its events, since only what comes over one connection has an
// order.
type posting struct {
	session  *session
	channels []string
	lanes    []*lane
	// perEvent is how many clients follow each channel.
	perEvent uint64
}

type lane struct {
	number    int
	publisher *load.Publisher
	sent      []uint64 // by channel
	batch     []load.Event
	total     uint64
}

// openPosting connects the publishers.
func (s *session) openPosting(t *target, channels []string, publishers int, perEvent uint64) (*posting, error) {
	p := &posting{session: s, channels: channels, perEvent: perEvent}
	for i := range publishers {
		publisher, err := load.NewPublisher(s.ctx, load.PublisherOptions{URL: t.at.APIURL, Key: t.at.Key, Size: s.Size})
		if err != nil {
			p.close()
			return nil, err
		}
		p.lanes = append(p.lanes, &lane{number: i, publisher: publisher, sent: make([]uint64, len(channels))})
	}
	return p, nil
}

func (p *posting) close() {
	for _, l := range p.lanes {
		l.publisher.Close()
	}
}

// add puts an event into the lane's next request.
func (l *lane) add(p *posting, channel int) {
	l.batch = append(l.batch, load.Event{Channel: p.channels[channel], Lane: l.number, Number: l.sent[channel]})
	l.sent[channel]++
	l.total++
}

// post sends the request.
func (l *lane) post(posts *measure.Histogram) error {
	took, err := l.publisher.Post(l.batch...)
	if err != nil {
		return err
	}
	l.batch = l.batch[:0]
	posts.Add(took)
	return nil
}

// expected is how many deliveries follow from all that was published.
func (p *posting) expected() uint64 { return p.published() * p.perEvent }

func (p *posting) published() uint64 {
	var n uint64
	for _, l := range p.lanes {
		n += l.total
	}
	return n
}

// sent is how many events were published, by channel and lane.
func (p *posting) sent() []uint64 {
	counts := make([]uint64, len(p.channels)*len(p.lanes))
	for i, l := range p.lanes {
		for channel, n := range l.sent {
			counts[channel*len(p.lanes)+i] = n
		}
	}
	return counts
}

// each runs a function for every lane at once, and adds up what they measured.
func (p *posting) each(duration time.Duration, do func(ctx context.Context, l *lane, m *measured) error) (measured, error) {
	before := p.published()
	ctx, cancel := context.WithCancelCause(p.session.ctx)
	defer cancel(nil)
	defer p.tellProgress(duration)()
	accounts := make([]measured, len(p.lanes))
	var all sync.WaitGroup
	for i, l := range p.lanes {
		all.Go(func() {
			if err := do(ctx, l, &accounts[i]); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return measured{}, context.Cause(ctx)
	}
	var sum measured
	for i := range accounts {
		sum.posts.Merge(&accounts[i].posts)
		sum.late.Merge(&accounts[i].late)
	}
	sum.events, sum.expected = p.published()-before, p.expected()
	return sum, nil
}

// tellProgress moves the bar while a load runs.
func (p *posting) tellProgress(duration time.Duration) (stop func()) {
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for began := time.Now(); ; {
			select {
			case <-tick.C:
				p.session.progress.at(time.Since(began).Seconds() / duration.Seconds())
			case <-end:
				return
			}
		}
	})
	return func() {
		close(end)
		done.Wait()
	}
}

// paced posts at a rate, in events a second over all lanes, to the first
// channel, whether or not the answers are quick.
func (p *posting) paced(rate float64, duration time.Duration) (measured, error) {
	batch := p.session.Batch
	every := time.Duration(float64(batch*len(p.lanes)) / rate * float64(time.Second))
	began := time.Now()
	return p.each(duration, func(ctx context.Context, l *lane, m *measured) error {
		// The lanes take turns.
		due := began.Add(every * time.Duration(l.number) / time.Duration(len(p.lanes)))
		for ; due.Sub(began) < duration; due = due.Add(every) {
			if !sleep(ctx, time.Until(due)) {
				return ctx.Err()
			}
			m.late.Add(time.Since(due))
			// A load that has fallen hopelessly behind ends in time all the same.
			if time.Since(began) > duration+time.Second {
				return nil
			}
			for range batch {
				l.add(p, 0)
			}
			if err := l.post(&m.posts); err != nil {
				return err
			}
		}
		return nil
	})
}

// closed posts as fast as answers come: each lane sends its next request when
// it has the answer to the last. A request has an event for each of batch
// channels that pick names.
func (p *posting) closed(duration time.Duration, batch int, pick func(l *lane, i int) int) (measured, error) {
	return p.each(duration, func(ctx context.Context, l *lane, m *measured) error {
		for began := time.Now(); time.Since(began) < duration && ctx.Err() == nil; {
			for i := range batch {
				l.add(p, pick(l, i))
			}
			if err := l.post(&m.posts); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// ownChannel picks at random among the channels that belong to a lane alone.
func (p *posting) ownChannel(l *lane, _ int) int {
	lanes := len(p.lanes)
	mine := (len(p.channels) - l.number + lanes - 1) / lanes
	return l.number + lanes*rand.IntN(mine)
}
