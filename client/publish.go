package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Event is an event to be published.
type Event struct {
	// Channel, or Channels: one of the two.
	Channel  string   `json:"channel,omitempty"`
	Channels []string `json:"channels,omitempty"`
	// Event is its name.
	Event string `json:"event"`
	// Data is any JSON value; nil is null.
	Data json.RawMessage `json:"data"`
	// Exclude lists connections that do not get it.
	Exclude []string `json:"exclude,omitempty"`
	// Transient: deliver now, keep nothing.
	Transient bool `json:"-"`
	// Key makes a repeat within ten minutes publish nothing.
	Key string `json:"key,omitempty"`
}

// MarshalJSON writes the event as the API takes it.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	var history *bool
	if e.Transient {
		history = new(bool)
	}
	return json.Marshal(struct {
		plain
		History *bool `json:"history,omitempty"`
	}{plain(e), history})
}

// Result is what became of one event in one channel.
type Result struct {
	Channel string `json:"channel"`
	// ID is its position; empty for an event without history.
	ID string `json:"id,omitempty"`
	// Duplicate: the key had been used; ID is the first one's.
	Duplicate bool `json:"duplicate,omitempty"`
}

// PublishOptions say where and how to publish.
type PublishOptions struct {
	// URL is the address of the API listener, like http://127.0.0.1:8081.
	URL string
	// Key is an API key; empty if the relay asks for none.
	Key string
	// IdempotencyKey makes it safe to repeat the whole request.
	IdempotencyKey string
	// HTTPClient is used for the request; nil means one that follows no redirects.
	HTTPClient *http.Client
}

// Publish posts events, in order, and returns one result for each event and
// channel. It returns when the relay has them. The error is a *Problem if the
// relay refused; then nothing was published except what the results say.
func Publish(ctx context.Context, o PublishOptions, events ...Event) ([]Result, error) {
	request, err := publishRequest(ctx, o, events)
	if err != nil {
		return nil, err
	}
	c := o.HTTPClient
	if c == nil {
		c = steadfast
	}
	answer, err := c.Do(request)
	if err != nil {
		return nil, unreachable(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		p := readProblem(answer)
		return p.Results, p
	}
	var body struct {
		Results []Result `json:"results"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("the relay's answer cannot be read, so the events may or may not be published: %w", err)
	}
	// So that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxProblemBytes))
	return body.Results, nil
}

// steadfast follows no redirects: a POST would arrive as a GET, and the key
// elsewhere.
var steadfast = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func publishRequest(ctx context.Context, o PublishOptions, events []Event) (*http.Request, error) {
	u, err := endpoint(o.URL, "v1", "events")
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, errors.New("there is no event to publish")
	}
	var what any = events
	if len(events) == 1 {
		what = events[0]
	}
	body, err := json.Marshal(what)
	if err != nil {
		return nil, fmt.Errorf("the events cannot be written as JSON: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if o.Key != "" {
		request.Header.Set("Authorization", "Bearer "+o.Key)
	}
	if o.IdempotencyKey != "" {
		request.Header.Set("Idempotency-Key", o.IdempotencyKey)
	}
	return request, nil
}
