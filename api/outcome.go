package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"relay/bus"
	"relay/event"
	"relay/problem"
)

// published answers a publish request that was done as a whole: an object with
// the list of its results.
type published struct {
	publications []bus.Publication
	receipts     []bus.Receipt
}

var answers = sync.Pool{New: func() any { return new([]byte) }}

// write is json.Marshal of the results, which takes as long as all else that
// is done for an event.
func (p published) write(w http.ResponseWriter) {
	buffer := answers.Get().(*[]byte)
	defer answers.Put(buffer)
	b := append((*buffer)[:0], `{"results":[`...)
	for i := range p.receipts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendResult(b, p.publications[i].Channel, &p.receipts[i])
	}
	b = append(b, "]}"...)
	writeJSON(w, http.StatusOK, b)
	*buffer = b
}

func appendResult(b []byte, channel string, r *bus.Receipt) []byte {
	b = append(b, `{"channel":`...)
	b, err := jsontext.AppendQuote(b, channel)
	if err != nil {
		panic(err) // a channel's name is valid UTF-8, or it was refused
	}
	if !r.ID.IsZero() {
		b = append(r.ID.Append(append(b, `,"id":"`...)), '"')
	}
	if r.Duplicate {
		b = append(b, `,"duplicate":true`...)
	}
	return append(b, '}')
}

// result tells what became of one item in one channel.
type result struct {
	Channel string `json:"channel"`
	// ID is the event's position; an event without history has none.
	ID string `json:"id,omitzero"`
	// Duplicate: the key had come before with the same event, and ID is the first one's.
	Duplicate bool `json:"duplicate,omitzero"`
	// Error: it was not published, or perhaps not.
	Error *resultError `json:"error,omitzero"`
}

type resultError struct {
	Code   event.Code `json:"code"`
	Detail string     `json:"detail"`
}

var (
	errorUnavailable = &resultError{event.CodeUnavailable, "The bus did not take this event, or did not say so. Send it again."}
	errorKeyReused   = &resultError{event.CodeKeyReused, fmt.Sprintf(
		"Within the last %.0f minutes this key came with another event on this channel. Give each event a key of its own.", bus.KeyTTL.Minutes())}
)

// outcome answers a publish request by the receipts of its publications.
// Unless each one is good the request has failed: an app that looks at the
// status only must not take an event for published that may be lost.
func (b *batch) outcome(receipts []bus.Receipt) (any, *problem.Problem) {
	if !slices.ContainsFunc(receipts, func(r bus.Receipt) bool { return r.Err != nil }) {
		return published{b.publications, receipts}, nil
	}
	return nil, b.failure(receipts)
}

// failure answers for receipts of which some are errors.
func (b *batch) failure(receipts []bus.Receipt) (p *problem.Problem) {
	results := make([]result, len(receipts))
	var reused []problem.Item
	failed := 0
	for i := range receipts {
		receipt := &receipts[i]
		results[i] = result{Channel: b.publications[i].Channel, ID: receipt.ID.String(), Duplicate: receipt.Duplicate}
		switch {
		case receipt.Err == nil:
		case errors.Is(receipt.Err, bus.ErrKeyReused):
			results[i].Error = errorKeyReused
			reused = append(reused, b.keyError(i, errorKeyReused.Detail))
		default:
			results[i].Error = errorUnavailable
			failed++
		}
	}
	switch {
	case failed > 0:
		// Also if a key was reused: a repeat will say that again.
		p = unavailable(b.retryAdvice(failed))
	default:
		p = problem.New(http.StatusUnprocessableEntity, event.CodeKeyReused, fmt.Sprintf(
			"%d of %d events came under a key that stands for another event and were not published; results tells of the others.",
			len(reused), len(receipts)))
		p.Errors = reused[:min(len(reused), maxListed)]
	}
	p.Results = results
	return p
}

// retryAdvice says what an app can do about events the bus did not take. A
// failure does not prove that the event was not published: the answer may have
// been lost instead.
func (b *batch) retryAdvice(failed int) string {
	detail := fmt.Sprintf("The bus did not take %d of %d events, or did not say so; see results. ", failed, len(b.publications))
	for i := range b.publications {
		if b.publications[i].Key == "" {
			return detail + "A repeat of this request can publish events a second time; " +
				"with an Idempotency-Key header, or a key in each item, repeats are safe."
		}
	}
	return detail + "Repeat the whole request with the same keys: that is safe, what is published already is not published again."
}

// logFailures logs what the bus gives no name to. That it is not available it
// tells itself, once, and not with every request.
func (a *API) logFailures(receipts []bus.Receipt) {
	for i := range receipts {
		err := receipts[i].Err
		if err != nil && !errors.Is(err, bus.ErrUnavailable) && !errors.Is(err, bus.ErrKeyReused) {
			a.options.Log.Error("the bus could not publish an event", "error", err)
			return // the rest of the batch will have failed for the same reason
		}
	}
}
