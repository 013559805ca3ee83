package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"relay/event"
	"relay/retry"
)

// mostTold bounds how long a relay can send a client away for.
const mostTold = 5 * time.Minute

// Options say what to subscribe to, and as whom.
type Options struct {
	// URL is the relay's public address, like http://127.0.0.1:8080, with its
	// public path if it has one.
	URL string
	// Channels to follow.
	Channels []string
	// Token returns a client token. It is asked before each connection, so
	// that it can bring a fresh one when the last has expired. nil: no token.
	Token func(context.Context) (string, error)
	// Header is sent with each handshake.
	Header http.Header
	// OnFrame is told each frame, in order, from one goroutine. While it
	// runs nothing is read: a slow one makes this a slow client.
	OnFrame func(Frame)
	// OnRetry, if set, is told why a connection ended, or did not come to be,
	// and how long it takes until the next attempt.
	OnRetry func(err error, wait time.Duration)
	// HTTPClient makes the connections; nil means http.DefaultClient.
	HTTPClient *http.Client
}

// StaticToken is the Token of Options for a token that does not change.
func StaticToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// Subscribe follows channels until ctx is done, and always returns an error:
// ctx's cause, or a *Refusal if the relay does not want this client back, or
// what is wrong with the options. Lost connections are made anew, after a wait
// that grows with each failure or that the relay asked for, and each channel
// goes on from the last event that was seen.
func Subscribe(ctx context.Context, o Options) error {
	s, err := newSubscriber(o)
	if err != nil {
		return err
	}
	for {
		end := s.session(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if end.verdict == stayAway {
			return end.err
		}
		wait := s.wait(end)
		if o.OnRetry != nil {
			o.OnRetry(end.err, wait)
		}
		if !retry.Sleep(ctx, wait) {
			return context.Cause(ctx)
		}
	}
}

// subscriber is what outlives a connection.
type subscriber struct {
	Options
	address string

	// connection is the ID of the last connection: events it was excluded
	// from are not replayed to the next.
	connection string
	// positions holds the last one seen of each channel.
	positions map[string]string
	// spare is a token that was fetched to see whether there is another.
	spare string
	// failures counts the connections in a row that came to nothing.
	failures int
}

func newSubscriber(o Options) (*subscriber, error) {
	u, err := endpoint(o.URL, "v1", "ws")
	if err != nil {
		return nil, err
	}
	if len(o.Channels) == 0 {
		return nil, errors.New("there is no channel to subscribe to")
	}
	for _, channel := range o.Channels {
		if err := event.CheckChannel(channel); err != nil {
			return nil, fmt.Errorf("channel %q: %w", channel, err)
		}
	}
	if o.OnFrame == nil {
		o.OnFrame = func(Frame) {}
	}
	return &subscriber{Options: o, address: u.String(), positions: make(map[string]string)}, nil
}

const (
	firstWait = 250 * time.Millisecond
	mostWait  = 10 * time.Second
	// calmAfter is how long a connection must have lived for the next failure
	// to count as the first. A relay that accepts and closes at once is
	// otherwise asked four times a second for ever.
	calmAfter = mostWait
)

// wait is how long to stay away after an ending.
func (s *subscriber) wait(end ending) time.Duration {
	if end.calm {
		s.failures = 0
	}
	if end.told > 0 {
		return end.told
	}
	wait := retry.Pause(s.failures, firstWait, mostWait)
	s.failures++
	if end.verdict == comeBackLater {
		wait += time.Second
	}
	return wait
}

// nextToken returns the token for the next connection.
func (s *subscriber) nextToken(ctx context.Context) (string, error) {
	if s.Token == nil {
		return "", nil
	}
	if s.spare != "" {
		token := s.spare
		s.spare = ""
		return token, nil
	}
	token, err := s.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("there is no token: %w", err)
	}
	return token, nil
}

// fetchAnother fetches the token that replaces a refused one, and reports
// whether there is hope: it is another, or could not be had just now.
func (s *subscriber) fetchAnother(ctx context.Context, refused string) bool {
	token, err := s.nextToken(ctx)
	if err == nil && token == refused {
		return false
	}
	s.spare = token
	return true
}
