package crowd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"syscall"
	"time"

	"relay/retry"
)

// client is one member of the crowd. It comes back as often as it is sent away.
type client struct {
	crowd *Crowd
	name  string
	way   way
	base  int // the address it is at, or tries next

	mu     sync.Mutex
	places []place
	back   int       // channels it has been told about on this connection
	since  time.Time // when it was told about the last of them
	visits int       // how often that was

	// Owned by its goroutine.
	scratch  []byte
	failures int
}

// way is a transport, as a stock client uses it. attend connects to a relay,
// tells the client what comes, and returns when the connection has ended.
type way interface {
	// String names it in counts.
	String() string
	attend(ctx context.Context, addr string, c *client) error
	// pause is how long a client of this kind waits before it comes back, when
	// it has failed this often in a row.
	pause(failures int) time.Duration
}

func newClient(crowd *Crowd, number int, channels []string) *client {
	c := &client{crowd: crowd, base: number % len(crowd.config.Public)}
	switch number % 10 {
	case 7, 8:
		c.way = &eventSource{retry: time.Second}
	case 9:
		c.way = &poller{}
	default:
		c.way = &socket{}
	}
	c.name = fmt.Sprintf("client %d (%v)", number, c.way)
	for _, channel := range channels {
		c.places = append(c.places, place{channel: channel, book: crowd.books[channel]})
	}
	return c
}

// leftError is an end of which the relay said how it should go on.
type leftError struct {
	why  string
	wait time.Duration
}

func (e *leftError) Error() string { return e.why }

// refusedError is a status other than the one hoped for.
type refusedError struct{ status string }

func (e *refusedError) Error() string { return "refused: " + e.status }

// live comes and comes back until ctx ends.
func (c *client) live(ctx context.Context) {
	relays := len(c.crowd.config.Public)
	for tried := 1; ctx.Err() == nil; tried++ {
		err := c.way.attend(ctx, c.crowd.config.Public[c.base], c)
		if err == nil { // a poll was answered
			tried = 0
			continue
		}
		c.leave()
		if ctx.Err() != nil {
			return
		}
		c.crowd.ends.add(c.way, err)
		var left *leftError
		var refused *refusedError
		switch {
		case errors.As(err, &left):
			c.base = rand.IntN(relays)
			tried = 0
			retry.Sleep(ctx, left.wait)
			continue
		case errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &refused):
			// What a load balancer would have kept from it.
			c.base = (c.base + 1) % relays
			if tried < relays {
				continue
			}
		default:
			c.base = rand.IntN(relays)
		}
		tried = 0
		c.failures++
		retry.Sleep(ctx, c.way.pause(c.failures))
	}
}

// frame is what a relay says.
type frame struct {
	Type        string    `json:"type"`
	Channel     string    `json:"channel"`
	ID          string    `json:"id"`
	Data        eventData `json:"data"`
	Reason      string    `json:"reason"`
	Code        string    `json:"code"`
	Message     string    `json:"message"`
	ReconnectIn int64     `json:"reconnect_in_ms"`
	Recovered   bool      `json:"recovered"`
}

// take judges a frame. An error ends the connection.
func (c *client) take(text []byte) error {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		c.complain(fmt.Errorf("a frame that is no JSON: %q: %w", text, err))
		return err
	}
	switch f.Type {
	case "goodbye":
		if f.ReconnectIn > 0 {
			return &leftError{"goodbye " + f.Reason, time.Duration(f.ReconnectIn) * time.Millisecond}
		}
		return errors.New("goodbye " + f.Reason)
	case "error":
		c.crowd.ends.add(c.way, fmt.Errorf("error frame: %s %s", f.Code, f.Message))
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.place(f.Channel)
	if p == nil {
		return nil // the welcome
	}
	var err error
	switch f.Type {
	case "event":
		c.crowd.saw(time.UnixMicro(f.Data.At), c.back == len(c.places), c.since)
		err = p.event(f.Data.Number, f.ID)
	case "subscribed":
		err = p.subscribed(f.ID, f.Recovered)
		c.arrived()
	case "reset":
		c.crowd.resets.Add(1)
		err = p.reset(f.ID, f.Reason)
	}
	if err != nil {
		c.complain(err)
	}
	return nil
}

func (c *client) complain(err error) { c.crowd.Complain("%s: %v", c.name, err) }

// arrived counts a channel of this connection; c.mu is held. Polls count once,
// as long as they are answered.
func (c *client) arrived() {
	if c.back == len(c.places) {
		return
	}
	if c.back++; c.back == len(c.places) {
		c.since = time.Now()
		c.visits++
		c.failures = 0
		c.crowd.arrivals.add()
	}
}

// visited is how often it has come.
func (c *client) visited() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.visits
}

// host is what a request to an address names as its host.
func (c *client) host(addr string) string { return cmp.Or(c.crowd.config.Host, addr) }

// leave notes that there is no connection.
func (c *client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.back = 0
}

func (c *client) isBack() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.back == len(c.places)
}

// hasSeen reports whether the client has seen as many events of its channels
// as goal says, or else of which it has not.
func (c *client) hasSeen(goal map[string]int64) (channel string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.places {
		if p := &c.places[i]; !p.known || p.last < goal[p.channel] {
			return p.channel, false
		}
	}
	return "", true
}

// place returns where the client stands in a channel; c.mu is held.
func (c *client) place(channel string) *place {
	for i := range c.places {
		if c.places[i].channel == channel {
			return &c.places[i]
		}
	}
	return nil
}

// query asks for the client's channels, each from where it stands if since.
func (c *client) query(since bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	query := url.Values{}
	for i := range c.places {
		query.Add("channel", c.places[i].channel)
		if since && c.places[i].known {
			query.Add("since", c.places[i].id)
		}
	}
	return query.Encode()
}
