package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"relay/retry"
)

// publisher posts events as an app does: with a key to each, and again, to
// any relay, until it is told that the event is taken.
type publisher struct {
	run    *run
	number int
	dice   *rand.Rand
	http   *http.Client
	items  int
}

// item is one event to be published. Its JSON never changes: another body
// under the same key would be refused.
type item struct {
	Channel string `json:"channel"`
	Event   string `json:"event"`
	Data    data   `json:"data"`
	Key     string `json:"key"`
	// Exclude names a connection that does not get it.
	Exclude []string `json:"exclude,omitempty"`
	// History is nil, or false.
	History *bool `json:"history,omitempty"`
}

// data is an event's. Padding makes some events big enough to fill a queue.
type data struct {
	Number  int    `json:"n,omitempty"`
	Passing int    `json:"p,omitempty"` // numbers those without history
	Padding string `json:"padding,omitempty"`
}

const (
	publishPause   = 140 * time.Millisecond // at most, between two requests
	burstOdds      = 40
	maxBurst       = 80
	maxPadding     = 2048
	publishTimeout = 5 * time.Second
	retryPause     = 200 * time.Millisecond // at most
	passingOdds    = 8
	passingTries   = 3 // such an event is not worth more
	excludeOdds    = 3 // many, since most are of clients that listen elsewhere
	deleteOdds     = 150
	// lateDelete is how long a request that was not answered can take to be
	// carried out: a relay that was stopped goes on with it.
	lateDelete = longFault + 15*time.Second
)

func newPublisher(r *run, number int) *publisher {
	return &publisher{run: r, number: number, dice: r.config.dice("publisher", number),
		http: &http.Client{Timeout: publishTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 2}}}
}

// work publishes until publishing ends; what is unanswered by then is retried
// until mend ends.
func (p *publisher) work(publishing, mend context.Context) {
	for publishing.Err() == nil {
		channel := p.run.channels[p.dice.IntN(len(p.run.channels))]
		switch {
		case p.dice.IntN(deleteOdds) == 0:
			p.delete(mend, channel)
		case p.dice.IntN(passingOdds) == 0:
			p.pass(mend, channel)
		default:
			p.publish(mend, p.request(channel))
		}
		retry.Sleep(publishing, time.Duration(p.dice.Int64N(int64(publishPause))))
	}
}

func (p *publisher) newItem(channel string, padding int, excluded string) *item {
	it := p.newKey(channel)
	it.Data = data{Number: p.run.truth.next(channel, excluded), Padding: strings.Repeat("x", padding)}
	if excluded != "" {
		it.Exclude = []string{excluded}
	}
	return it
}

func (p *publisher) newKey(channel string) *item {
	p.items++
	return &item{Channel: channel, Event: "beat", Key: fmt.Sprintf("%d.%d", p.number, p.items)}
}

// request draws what is published together: one event, or a burst.
func (p *publisher) request(channel string) []*item {
	count, padding := 1, p.dice.IntN(100)
	if p.dice.IntN(burstOdds) == 0 {
		count, padding = 2+p.dice.IntN(maxBurst), p.dice.IntN(maxPadding)
	}
	excluded := ""
	if someone := p.run.clients[p.dice.IntN(len(p.run.clients))]; p.dice.IntN(excludeOdds) == 0 {
		excluded = someone.connection() // may be that of one that listens elsewhere
	}
	items := make([]*item, count)
	for i := range items {
		items[i] = p.newItem(channel, padding, excluded)
	}
	return items
}

// pass publishes an event without history, and does not insist.
func (p *publisher) pass(ctx context.Context, channel string) {
	it, no := p.newKey(channel), false
	it.History, it.Data.Passing = &no, p.run.truth.nextPassing(channel)
	body := marshal([]*item{it})
	for range passingTries {
		acked := p.attempt(ctx, []*item{it}, body)
		p.run.truth.triedPassing(channel, it.Data.Passing, acked)
		if acked || !retry.Sleep(ctx, time.Duration(p.dice.Int64N(int64(retryPause)))) {
			return
		}
	}
}

// delete deletes a channel's history, once.
func (p *publisher) delete(ctx context.Context, channel string) {
	from := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, p.run.fleet.desk(p.dice)+"/v1/channels/"+channel+"/events", nil)
	if err != nil {
		panic(err) // the address is ours
	}
	to := time.Now().Add(lateDelete)
	if res, err := p.http.Do(req); err == nil {
		if res.StatusCode < 300 {
			to = time.Now()
		}
		_ = res.Body.Close()
	}
	p.run.truth.deleted(channel, from, to)
}

// publish posts until all items are acknowledged, or ctx ends.
func (p *publisher) publish(ctx context.Context, items []*item) {
	body := marshal(items)
	for ctx.Err() == nil {
		if p.attempt(ctx, items, body) {
			return
		}
		p.run.truth.refused()
		retry.Sleep(ctx, time.Duration(p.dice.Int64N(int64(retryPause))))
	}
	p.run.report.violate(Violation{Channel: items[0].Channel, What: "an event was never acknowledged although everything was healed",
		Expected: "200", Seen: fmt.Sprintf("event number %d, key %s, refused to the end", items[0].Data.Number, items[0].Key)})
}

// attempt reports whether all items were acknowledged.
func (p *publisher) attempt(ctx context.Context, items []*item, body []byte) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.run.fleet.desk(p.dice)+"/v1/events", bytes.NewReader(body))
	if err != nil {
		panic(err) // the address is ours
	}
	res, err := p.http.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil || res.StatusCode == http.StatusServiceUnavailable:
		return false
	case res.StatusCode != http.StatusOK:
		p.complain(items, res.Status, text)
		return false
	}
	var answer struct {
		Results []struct{ ID string }
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Results) != len(items) {
		p.complain(items, res.Status, text)
		return false
	}
	for i, result := range answer.Results {
		if items[i].History != nil {
			continue // such an event has no id
		}
		id, err := parsePosition(result.ID)
		if err != nil {
			p.complain(items, res.Status, text)
			return false
		}
		p.run.truth.ack(items[i].Channel, id, items[i].Data.Number)
	}
	return true
}

func (p *publisher) complain(items []*item, status string, text []byte) {
	p.run.report.violate(Violation{Channel: items[0].Channel, What: "a publish got an answer that an app cannot work with",
		Expected: "200 with an id for each item, or 503", Seen: fmt.Sprintf("%s %.300s", status, text)})
}

func marshal(items []*item) []byte {
	body, err := json.Marshal(items)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return body
}
