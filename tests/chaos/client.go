package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"relay/retry"
)

// client is one page: it connects to any relay, goes on from where it was, and
// writes down what it is told.
type client struct {
	name     string
	channels []string
	of       *run
	log      *log
	brake    *brake

	// Owned by the goroutine of run.
	dice     *rand.Rand
	way      way
	conn     int // counts connections and attempts
	comeBack time.Duration

	mu       sync.Mutex
	identity string              // the connection's, as its welcome gave it
	stood    map[string]position // by channel, what it was told last
	stats    clientStats
}

type clientStats struct {
	attempts, connections, resumes, events int
}

// way is a transport as a browser has it: it keeps the cursor itself.
type way interface {
	// attend connects once and hands what it is told to the client, until the
	// connection ends. It says how it ended.
	attend(ctx context.Context, base string, c *client) error
	// resuming reports whether the next connection goes on from a cursor.
	resuming() bool
}

// frame is a frame from the relay, as any client would decode it.
type frame struct {
	Type        string `json:"type"`
	Channel     string `json:"channel"`
	ID          string `json:"id"`
	Data        data   `json:"data"`
	Connection  string `json:"connection"`
	Recovered   *bool  `json:"recovered"`
	Reason      string `json:"reason"`
	Code        string `json:"code"`
	Message     string `json:"message"`
	ReconnectIn int    `json:"reconnect_in_ms"`
}

// refusedError is an HTTP status after which a browser would not come back.
type refusedError struct {
	status int
	body   string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("refused with %d: %.200s", e.status, e.body)
}

const (
	firstBackoff = 30 * time.Millisecond
	mostBackoff  = 800 * time.Millisecond
	// mostComeBack caps what a goodbye asks for, so that runs stay short.
	mostComeBack = 400 * time.Millisecond
)

func newClient(r *run, number int, polls bool) *client {
	c := &client{of: r, dice: r.config.dice("client", number), stood: make(map[string]position)}
	kinds := []string{"websocket", "eventsource", "poll"}
	if !polls {
		kinds = kinds[:2]
	}
	kind := kinds[number%len(kinds)]
	c.brake = newBrake(r.config.dice("brake", number))
	c.name = fmt.Sprintf("%s-%d", kind, number)
	if c.brake.manner != plain {
		c.name += "-" + string(c.brake.manner)
	}
	c.channels = r.someChannels(c.dice)
	c.log = &log{client: c.name, channels: c.channels, carries: kind != "websocket"}
	transport := &http.Transport{DialContext: c.brake.dial, DisableCompression: true, MaxIdleConnsPerHost: 1}
	switch kind {
	case "websocket":
		c.way = &socket{http: &http.Client{Transport: transport}, positions: make(map[string]string)}
	case "eventsource":
		c.way = &eventSource{http: &http.Client{Transport: transport}}
	default:
		c.way = &poller{http: &http.Client{Transport: transport}}
	}
	return c
}

// someChannels draws what a client listens to: one channel, or several.
func (r *run) someChannels(dice *rand.Rand) []string {
	order := dice.Perm(len(r.channels))
	count := 1
	if dice.IntN(2) == 0 {
		count = 1 + dice.IntN(len(order))
	}
	var names []string
	for _, i := range order[:count] {
		names = append(names, r.channels[i])
	}
	return names
}

// run connects again and again, until ctx ends.
func (c *client) run(ctx context.Context) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		number, base := c.of.fleet.door(c.dice)
		c.conn++
		c.note(note{kind: noteOpened, identity: c.connection(), text: fmt.Sprintf("relay %d", number)})
		c.comeBack = 0
		resuming, before := c.way.resuming(), c.connections()
		err := c.way.attend(ctx, base, c)
		if ctx.Err() != nil {
			return
		}
		c.ended(err)
		welcomed := c.connections() > before
		c.count(func(s *clientStats) {
			s.attempts++
			if welcomed && resuming {
				s.resumes++
			}
		})
		if welcomed {
			backoff = firstBackoff
		}
		wait := backoff/2 + time.Duration(c.dice.Int64N(int64(backoff)))
		backoff = min(2*backoff, mostBackoff)
		if c.comeBack > 0 {
			wait = min(c.comeBack, mostComeBack)
		}
		if err == nil { // a poll that was answered asks again at once
			wait = 0
		}
		retry.Sleep(ctx, wait)
	}
}

func (c *client) ended(err error) {
	text := "answered"
	if err != nil {
		text = err.Error()
	}
	if refused := (*refusedError)(nil); errors.As(err, &refused) && isFinal(refused.status) {
		c.of.report.violate(Violation{Client: c.name, What: "a client was refused in a way that keeps a browser away",
			Expected: "a stream, or a status for which clients come back", Seen: err.Error()})
	}
	c.note(note{kind: noteEnded, text: text})
}

func isFinal(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests
}

// take writes down a frame. An error ends the connection, as a page's would.
func (c *client) take(text []byte) (frame, error) {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("a frame that is not JSON: %w: %.100s", err, text)
	}
	n := note{channel: f.Channel, number: f.Data.Number, recovered: f.Recovered, text: f.Reason}
	switch f.Type {
	case "welcome":
		c.mu.Lock()
		c.identity = f.Connection
		c.mu.Unlock()
		c.note(note{kind: noteWelcomed, identity: f.Connection})
		c.count(func(s *clientStats) { s.connections++ })
		return f, nil
	case "subscribed":
		n.kind = noteSubscribed
	case "event":
		n.kind = noteEvent
		if f.ID == "" {
			n.kind, n.number = notePassing, f.Data.Passing
			c.note(n)
			return f, nil
		}
		c.count(func(s *clientStats) { s.events++ })
	case "reset":
		n.kind = noteReset
	case "goodbye":
		c.comeBack = time.Duration(f.ReconnectIn) * time.Millisecond
		c.note(note{kind: noteGoodbye, text: f.Reason})
		return f, nil
	case "error":
		return f, fmt.Errorf("error %s on %q: %s", f.Code, f.Channel, f.Message)
	default:
		return f, nil
	}
	var err error
	if n.id, err = parsePosition(f.ID); err != nil {
		c.of.report.violate(Violation{Client: c.name, Channel: f.Channel, What: "a frame without a proper id", Expected: "an id", Seen: string(text)})
		return f, err
	}
	c.note(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stood[f.Channel] = n.id
	return f, nil
}

func (c *client) note(n note) {
	n.at, n.conn = time.Now(), c.conn
	c.log.add(n)
}

// last is what the client was told last on a channel, if anything.
func (c *client) last(channel string) (position, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.stood[channel]
	return p, ok
}

// connection is the name of the client's connection, or of its last one.
func (c *client) connection() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

func (c *client) count(f func(s *clientStats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

func (c *client) connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats.connections
}
