package crowd

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// book is the truth about one channel. A single publisher numbers its events
// from 1 on and posts them one after the other, so an event's number is also
// its offset in the channel. Everybody has to see the same id under a number.
type book struct {
	mu    sync.Mutex
	ids   []string // by number, from 1 on; empty where nobody has seen it yet
	acked int64    // the number of the last event that was acknowledged
}

// ack notes an answer to the publisher; the error says what is wrong with it.
func (b *book) ack(number int64, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acked = number
	return b.agree(number, id)
}

// seen compares what a client was told with what others were; the error says
// what is wrong with it.
func (b *book) seen(number int64, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.agree(number, id)
}

func (b *book) agree(number int64, id string) error {
	if at, err := offsetOf(id); err != nil || at != number {
		return fmt.Errorf("event number %d has the id %q", number, id)
	}
	for int64(len(b.ids)) <= number {
		b.ids = append(b.ids, "")
	}
	switch b.ids[number] {
	case "":
		b.ids[number] = id
	case id:
	default:
		return fmt.Errorf("event number %d is %s here and %s elsewhere", number, id, b.ids[number])
	}
	return nil
}

// taken is the number of the last event that was acknowledged.
func (b *book) taken() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acked
}

// offsetOf is the number of an event in its channel, from its id as the
// contract writes it: "<ms>-<offset>-<tag>".
func offsetOf(id string) (int64, error) {
	parts := strings.Split(id, "-")
	if len(parts) != 3 {
		return 0, fmt.Errorf("%q is not an id", id)
	}
	return strconv.ParseInt(parts[1], 10, 64)
}

// place is where a client stands in a channel, and the judge of what it is
// told there.
type place struct {
	channel string
	book    *book
	known   bool  // it was told where it stands
	last    int64 // the number of the last event seen
	id      string
}

// event judges an event.
func (p *place) event(number int64, id string) error {
	if !p.known {
		return fmt.Errorf("event %d of %s before subscribed", number, p.channel)
	}
	if err := p.book.seen(number, id); err != nil {
		return fmt.Errorf("%s: %w", p.channel, err)
	}
	last := p.last
	p.last, p.id = number, id
	switch {
	case number == last+1:
		return nil
	case number > last:
		return fmt.Errorf("%s: a gap: event %d after %d", p.channel, number, last)
	}
	return fmt.Errorf("%s: event %d again or out of order, after %d", p.channel, number, last)
}

// subscribed judges the word from where on events follow.
func (p *place) subscribed(id string, recovered bool) error {
	at, err := offsetOf(id)
	if err != nil {
		return err
	}
	before := *p
	p.known, p.last, p.id = true, at, id
	if before.known && (!recovered || before.last != at) {
		return fmt.Errorf("%s: subscribed at %s (recovered: %v), but the client stood at %s", p.channel, id, recovered, before.id)
	}
	return nil
}

// reset is always an error here: history reaches back over all of a run.
func (p *place) reset(id, cause string) error {
	was := p.id
	at, err := offsetOf(id)
	if err != nil {
		return err
	}
	p.last, p.id = at, id
	return fmt.Errorf("%s: reset to %s (%s), but the client stood at %s and nothing was lost", p.channel, id, cause, was)
}
