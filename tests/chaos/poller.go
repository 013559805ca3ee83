package chaos

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// poller is a client that can do no more than GET. Each request goes to any
// relay.
type poller struct {
	http   *http.Client
	cursor string
}

// pollWait is how long a request may wait for events.
const pollWait = 2 * time.Second

func (p *poller) resuming() bool { return p.cursor != "" }

func (p *poller) attend(ctx context.Context, base string, c *client) error {
	query := url.Values{"channel": c.channels, "wait": {pollWait.String()}}
	if p.cursor != "" {
		query.Set("since", p.cursor)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/poll?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	res, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	var answer struct {
		Frames []json.RawMessage `json:"frames"`
		Cursor string            `json:"cursor"`
	}
	// An answer that is cut off is none: the cursor must not move.
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	c.count(func(s *clientStats) { s.connections++ })
	// An error about one channel takes nothing back of what is said of others.
	var failed error
	for _, text := range answer.Frames {
		if _, err := c.take(text); err != nil {
			failed = err
		}
	}
	p.cursor = answer.Cursor
	return failed
}
