package crowd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"relay/retry"
)

// publisher posts events as an app does: each with a key, and again, to any
// address, until it is told that they are taken. It alone publishes to its
// channels, which take turns.
type publisher struct {
	crowd    *Crowd
	channels []string
	turn     int
	numbers  map[string]int64
	http     *http.Client
}

// item is one event to be published. Its JSON never changes: another body
// under the same key would be refused.
type item struct {
	Channel string    `json:"channel"`
	Event   string    `json:"event"`
	Data    eventData `json:"data"`
	Key     string    `json:"key"`
}

// eventData is an event's: its number in the channel, and when it was made, in
// microseconds.
type eventData struct {
	Number int64 `json:"n"`
	At     int64 `json:"at"`
}

const (
	publishTimeout = 12 * time.Second // the API answers within 10 s
	retryPause     = 200 * time.Millisecond
	// soloBatch is how many clients' own channels one request is for.
	soloBatch = 10
)

// Publish starts the publishers, and returns what stops them: what is not
// acknowledged by then is retried until it is.
func (c *Crowd) Publish(ctx context.Context) (stop func()) {
	publishing, cancel := context.WithCancel(ctx)
	var publishers sync.WaitGroup
	begin := func(channels []string, batch int, rate float64) {
		p := newPublisher(c, channels)
		publishers.Go(func() { p.work(publishing, ctx, batch, time.Duration(float64(batch)/rate*float64(time.Second))) })
	}
	for _, channel := range c.shared {
		begin([]string{channel}, 1, c.config.Rate/float64(len(c.shared)))
	}
	if len(c.solo) > 0 {
		begin(c.solo, min(soloBatch, len(c.solo)), c.config.SoloRate)
	}
	return func() {
		cancel()
		publishers.Wait()
	}
}

func newPublisher(c *Crowd, channels []string) *publisher {
	return &publisher{crowd: c, channels: channels, numbers: make(map[string]int64),
		http: &http.Client{Timeout: publishTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}}
}

// work posts a batch every so often until publishing ends.
func (p *publisher) work(publishing, mend context.Context, batch int, every time.Duration) {
	retry.Sleep(publishing, rand.N(every))
	next := time.Now()
	for publishing.Err() == nil {
		p.post(mend, p.batch(batch))
		// Not more often after a while without Redis: apps do not save up.
		next = latest(next.Add(every), time.Now())
		retry.Sleep(publishing, time.Until(next))
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (p *publisher) batch(size int) []item {
	items := make([]item, size)
	for i := range items {
		channel := p.channels[p.turn%len(p.channels)]
		p.turn++
		p.numbers[channel]++
		n := p.numbers[channel]
		items[i] = item{channel, "beat", eventData{n, time.Now().UnixMicro()}, fmt.Sprintf("%s/%d", channel, n)}
	}
	return items
}

// post posts until all items are acknowledged, or ctx ends.
func (p *publisher) post(ctx context.Context, items []item) {
	body, err := json.Marshal(items)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	for ctx.Err() == nil && !p.attempt(ctx, items, body) {
		p.crowd.refused.Add(1)
		retry.Sleep(ctx, rand.N(retryPause))
	}
}

// attempt reports whether all items were acknowledged.
func (p *publisher) attempt(ctx context.Context, items []item, body []byte) bool {
	addrs := p.crowd.config.Publish
	api := addrs[rand.IntN(len(addrs))]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+api+"/v1/events", bytes.NewReader(body))
	if err != nil {
		panic(err) // the address is ours
	}
	req.Host = p.crowd.config.Host
	if key := p.crowd.config.Key; key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := p.http.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode == http.StatusServiceUnavailable {
		return false
	}
	var answer struct {
		Results []struct{ ID string }
	}
	if res.StatusCode != http.StatusOK || json.Unmarshal(text, &answer) != nil || len(answer.Results) != len(items) {
		p.crowd.Complain("a publish was answered %s %.300s", res.Status, text)
		return false
	}
	for i, result := range answer.Results {
		if err := p.crowd.books[items[i].Channel].ack(items[i].Data.Number, result.ID); err != nil {
			p.crowd.Complain("the publisher of %s: %v", items[i].Channel, err)
		}
	}
	return true
}
