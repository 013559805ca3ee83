package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"relay/auth"
	"relay/client"
	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
	"relay/event"
	"relay/retry"
)

var checkEntry = entry{
	name: "check", args: "[CHANNEL]",
	summary: "Publish an event and receive it.",
	help: `It subscribes to CHANNEL, or one that it makes up, publishes an event there, and
succeeds when that event comes back: through the api, Redis, and a relay's public
listener. It waits for a relay that is not up yet. The API key is the one that
` + "`relay pub`" + ` would use. The client token is RELAY_TOKEN, or one that it signs
with RELAY_JWT_SECRET; without either it comes without a token.

  relay check
  relay check public.check --url https://live.example.com --api-url http://relay-api:8081
`,
	make: func() command { return new(checkCommand) },
}

// checkEvent is the name of the event that is published.
const checkEvent = "relay.check"

// checkPause is between two attempts to publish.
const checkPause = 500 * time.Millisecond

type checkCommand struct {
	settings            *config.Loader
	url, apiURL, apiKey string
	timeout             time.Duration
}

func (c *checkCommand) flags(fs *flag.FlagSet) {
	c.settings = config.Bind(fs, "public_path", "jwt_secret")
	fs.StringVar(&c.url, "url", "", "The relay's public listener, as `URL`, with its public path if it has one (default http://127.0.0.1:8080 and the public path).")
	fs.StringVar(&c.apiURL, "api-url", "", apiURLHelp)
	fs.StringVar(&c.apiKey, "api-key", "", apiKeyHelp)
	fs.DurationVar(&c.timeout, "timeout", 30*time.Second, "How long it may take, as `DURATION`.")
}

func (c *checkCommand) run(ctx context.Context, p *program, args []string) error {
	channel := "relay-check." + strings.ToLower(rand.Text()[:12])
	if len(args) > 0 {
		channel, args = args[0], args[1:]
	}
	if err := flags.NoArguments(args); err != nil {
		return err
	}
	if err := event.CheckChannel(channel); err != nil {
		return &flags.Error{Text: fmt.Sprintf("%q: %v", channel, err), Hint: "relay check public.check"}
	}
	cfg, err := c.settings.Load(p.env, os.ReadFile)
	if err != nil {
		return err
	}
	token, err := c.token(p, cfg, channel)
	if err != nil {
		return err
	}
	key, err := apiKey(p, c.apiKey)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, c.timeout)
	defer stop()
	trip := &roundTrip{
		p: p, channel: channel, mark: rand.Text(), begun: time.Now(),
		api: client.PublishOptions{URL: apiURL(p, c.apiURL), Key: key},
	}
	return trip.run(ctx, client.Options{
		URL: cmp.Or(c.url, "http://127.0.0.1:8080"+cfg.PublicPath), Channels: []string{channel}, Token: token,
	})
}

// token returns where to get the client token, or nil to come without one.
func (c *checkCommand) token(p *program, cfg *config.Config, channel string) (func(context.Context) (string, error), error) {
	if token := p.variable(config.TokenVariable); token != "" {
		return client.StaticToken(token), nil
	}
	if !cfg.JWTSecret.IsSet() {
		return nil, nil
	}
	token, _, err := auth.Mint([]byte(cfg.JWTSecret.Get()), "relay-check", []event.Pattern{event.Pattern(channel)}, c.timeout+time.Minute, time.Now())
	return client.StaticToken(token), err
}

// roundTrip is one event's way to the api and back from the public listener.
type roundTrip struct {
	p       *program
	channel string
	// mark is the event's data, by which it is known again.
	mark  string
	begun time.Time
	api   client.PublishOptions

	publish sync.Once
	sending sync.WaitGroup
	mu      sync.Mutex
	// far says how far it has come, for when time is up; trouble is what was
	// complained of last.
	far, trouble string
}

// errArrived ends a round trip well.
var errArrived = errors.New("the event arrived")

func (t *roundTrip) run(ctx context.Context, o client.Options) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	o.OnFrame = func(f client.Frame) { t.hear(ctx, f, end) }
	o.OnRetry = func(err error, _ time.Duration) { t.complain(err.Error()) }
	t.reached("nobody said welcome at " + o.URL)
	err := client.Subscribe(ctx, o)
	end(nil)
	t.sending.Wait()
	switch {
	case errors.Is(err, errArrived):
		_, err = fmt.Fprintf(t.p.stdout, "ok: an event in %s came back after %v\n", t.channel, time.Since(t.begun).Round(time.Millisecond))
		return err
	case errors.Is(err, context.DeadlineExceeded):
		t.mu.Lock()
		defer t.mu.Unlock()
		return fmt.Errorf("time is up: %s", t.far)
	}
	return adviseSubscribe(err)
}

func (t *roundTrip) hear(ctx context.Context, f client.Frame, end context.CancelCauseFunc) {
	switch f.Type {
	case client.FrameWelcome:
		t.reached("connected, and was not told that the subscription stands")
	case client.FrameSubscribed:
		// Once, also when the connection is made anew: history has the event.
		t.publish.Do(func() { t.sending.Go(func() { t.send(ctx, end) }) })
	case client.FrameEvent:
		if f.Event == checkEvent && string(f.Data) == t.data() {
			end(errArrived)
		}
	case client.FrameError:
		t.complain(f.Message)
	}
}

func (t *roundTrip) data() string { return `"` + t.mark + `"` }

// send publishes, and tries again while that may help; the key makes it safe.
func (t *roundTrip) send(ctx context.Context, end context.CancelCauseFunc) {
	for {
		t.reached("subscribed, and the event was not taken at " + t.api.URL)
		_, err := client.Publish(ctx, t.api, client.Event{
			Channel: t.channel, Event: checkEvent, Data: json.RawMessage(t.data()), Key: t.mark,
		})
		if err == nil {
			t.reached("the event was taken, and did not come back")
			return
		}
		if ctx.Err() != nil {
			return
		}
		if !mayPass(err) {
			end(advisePublish(err))
			return
		}
		t.complain(err.Error())
		if !retry.Sleep(ctx, checkPause) {
			return
		}
	}
}

// mayPass reports whether what went wrong with a publish may be over soon.
func mayPass(err error) bool {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests
	}
	return errors.Is(err, client.ErrUnreachable)
}

// complain says what went wrong, once as long as it stays the same.
func (t *roundTrip) complain(trouble string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if trouble != t.trouble {
		t.trouble = trouble
		fmt.Fprintf(t.p.stderr, "relay check: %s; trying again\n", trouble)
	}
}

func (t *roundTrip) reached(far string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.far = far
}
