package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"time"

	"relay/client"
	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
	"relay/event"
)

var subEntry = entry{
	name: "sub", args: "CHANNEL...",
	summary: "Follow channels.",
	help: `Prints each frame of the relay as one line of JSON, as it comes. A lost connection
is made anew, and each channel goes on from the last event that was seen; standard
error tells. Ends when it is interrupted, or when the relay refuses for good.

  relay sub orders.42 news
`,
	make: func() command { return new(subCommand) },
}

type subCommand struct {
	url, token string
	eventsOnly bool
}

func (c *subCommand) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.url, "url", "http://127.0.0.1:8080", "The relay's public listener, as `URL`, with its public path if it has one.")
	fs.StringVar(&c.token, "token", "", "Client `TOKEN`; better in "+config.TokenVariable+", where other users do not see it.")
	fs.BoolVar(&c.eventsOnly, "events-only", false, "Print events, and nothing else that the relay says.")
}

func (c *subCommand) run(ctx context.Context, p *program, args []string) error {
	if len(args) == 0 {
		return &flags.Error{Text: "it takes the channels to follow", Hint: "relay sub orders.42"}
	}
	for _, channel := range args {
		if err := event.CheckChannel(channel); err != nil {
			return &flags.Error{Text: fmt.Sprintf("%q: %v", channel, err), Hint: "channels are followed by name; patterns are for tokens"}
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	f := follower{p: p, eventsOnly: c.eventsOnly, stop: stop}
	err := client.Subscribe(ctx, client.Options{
		URL: c.url, Channels: args, Token: c.tokenFrom(p),
		OnFrame: f.print, OnRetry: f.retry,
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return adviseSubscribe(err)
}

// tokenFrom returns where to get the token, or nil without one.
func (c *subCommand) tokenFrom(p *program) func(context.Context) (string, error) {
	if token := cmp.Or(c.token, p.variable(config.TokenVariable)); token != "" {
		return client.StaticToken(token)
	}
	return nil
}

// follower prints what a subscription says.
type follower struct {
	p          *program
	eventsOnly bool
	stop       context.CancelCauseFunc
	away       bool
}

func (f *follower) print(frame client.Frame) {
	if f.away && frame.Type == client.FrameWelcome {
		f.away = false
		fmt.Fprintln(f.p.stderr, "relay sub: connected again")
	}
	if f.eventsOnly && frame.Type != client.FrameEvent {
		return
	}
	if _, err := fmt.Fprintf(f.p.stdout, "%s\n", frame.Raw); err != nil {
		// Whoever read the output has had enough.
		f.stop(fmt.Errorf("the output cannot be written: %w", err))
	}
}

func (f *follower) retry(err error, wait time.Duration) {
	f.away = true
	fmt.Fprintf(f.p.stderr, "relay sub: %v; next attempt in %s\n", err, wait.Round(10*time.Millisecond))
}

// adviseSubscribe adds what to do about a refusal.
func adviseSubscribe(err error) error {
	var r *client.Refusal
	if !errors.As(err, &r) {
		return err
	}
	switch {
	case r.CloseCode == client.CloseToken, r.Status == http.StatusUnauthorized:
		return hint(err, "set "+config.TokenVariable+" to a client token; `relay token` makes one")
	case r.CloseCode == client.CloseForbidden:
		return hint(err, "a token that covers the channels is needed (`relay token`), or the relay's setting public_channels")
	case r.Status == http.StatusNotFound, r.Status == http.StatusOK:
		return hint(err, "--url says where the relay's public listener is, with its public path")
	}
	return err
}
