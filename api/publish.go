package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"relay/bus"
	"relay/event"
	"relay/problem"
)

// batch is a publish request, item by item and channel by channel.
type batch struct {
	items        []item
	list         bool // the body was an array
	publications []bus.Publication
	origin       []int // origin[i] is the item of publications[i]
}

// publish does POST /v1/events.
func (a *API) publish(r *http.Request) (any, *problem.Problem) {
	posted := time.Now()
	b, p := a.readBatch(r)
	if p != nil {
		return nil, p
	}
	b.stamp(posted)
	began := time.Now()
	// A client that goes away does not take back half of what it asked for.
	receipts := a.options.Bus.Publish(a.patience.outliving(r, began), b.publications)
	events, outcome := count(receipts)
	a.options.Metrics.Published(events, outcome, time.Since(began))
	a.logFailures(receipts)
	return b.outcome(receipts)
}

func (a *API) readBatch(r *http.Request) (*batch, *problem.Problem) {
	header, p := headerKey(r)
	if p != nil {
		return nil, p
	}
	body, p := a.body(r)
	if p != nil {
		return nil, p
	}
	items, list, p := readItems(body, a.options.MaxEventBytes)
	if p != nil {
		return nil, p
	}
	return newBatch(items, list, header)
}

// newBatch makes one publication of each item and channel, in order.
func newBatch(items []item, list bool, header string) (*batch, *problem.Problem) {
	n := 0
	for i := range items {
		n += len(items[i].channels)
	}
	if n > event.MaxResults {
		return nil, invalidRequest(fmt.Sprintf("The request stands for %d events, counting each of an item's channels, and at most %d are allowed; "+
			"nothing was published. Send several requests.", n, event.MaxResults))
	}
	b := &batch{items: items, list: list, publications: make([]bus.Publication, 0, n), origin: make([]int, 0, n)}
	for i := range items {
		it := &items[i]
		for _, channel := range it.channels {
			b.publications = append(b.publications, bus.Publication{
				Channel: channel, Name: it.name, Data: it.data,
				Exclude: it.exclude, Transient: it.transient, Key: keyOf(it, i, list, header),
			})
			b.origin = append(b.origin, i)
		}
	}
	if wrong := b.reused(); len(wrong) > 0 {
		listed := wrong[:min(len(wrong), maxListed)]
		return nil, itemsProblem(listed, len(wrong)-len(listed))
	}
	return b, nil
}

// stamp says when the app handed the events over.
func (b *batch) stamp(posted time.Time) {
	for i := range b.publications {
		b.publications[i].Posted = posted
	}
}

// count counts what was published and had not been before, and says what came
// of the request.
func count(receipts []bus.Receipt) (events int, outcome event.Outcome) {
	outcome = event.PublishTaken
	for i := range receipts {
		switch err := receipts[i].Err; {
		case err == nil && !receipts[i].Duplicate:
			events++
		case err == nil:
		case !errors.Is(err, bus.ErrKeyReused):
			outcome = event.PublishFailed
		case outcome == event.PublishTaken:
			outcome = event.PublishReused
		}
	}
	return events, outcome
}
