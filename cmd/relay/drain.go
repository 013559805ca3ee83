package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"relay/client"
	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
	"relay/retry"
)

var drainEntry = entry{
	name:    "drain",
	summary: "Let a relay leave, before it is stopped.",
	help: `For the preStop hook of a pod: the relay is not ready any more, waits until nobody
is sent to it, and releases its clients at a pace. Ends with 0 when the last one is
gone, or the time is over; the relay itself goes on until it gets SIGTERM.

It is called with the relay's environment, so it finds the api listener by
RELAY_API_ADDR, and its key: RELAY_API_KEY, or else the first of RELAY_API_KEYS.
docs/draining.md tells all about it.
`,
	make: func() command { return new(drainCommand) },
}

type drainCommand struct{ apiURL, apiKey string }

func (c *drainCommand) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.apiURL, "api-url", "", "The relay's api listener, as `URL` (default "+config.APIURLVariable+", or else what RELAY_API_ADDR says).")
	fs.StringVar(&c.apiKey, "api-key", "", apiKeyHelp)
}

const (
	// drainPause is how long the command waits before it asks again.
	drainPause = 200 * time.Millisecond
	// drainPatience is what the relay may take to hear that it is to leave. A
	// frozen one never answers, and would cost the pod its whole grace: SIGTERM
	// comes when the hook is over.
	drainPatience = 10 * time.Second
)

func (c *drainCommand) run(ctx context.Context, p *program, args []string) error {
	if err := flags.NoArguments(args); err != nil {
		return err
	}
	o, err := c.options(p)
	if err != nil {
		return err
	}
	status, err := beginDrain(ctx, o, drainPatience)
	if err != nil {
		return adviseDrain(err)
	}
	fmt.Fprintf(p.stderr, "relay drain: %s, %d connections, over by %s\n",
		status.State, status.Connections, status.Deadline.Format(time.RFC3339))
	return awaitDrained(ctx, o, status)
}

func beginDrain(ctx context.Context, o client.DrainOptions, patience time.Duration) (client.DrainStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return client.Drain(ctx, o)
}

// awaitDrained asks until the relay is drained or its deadline is over. One
// that does not answer any more has left.
func awaitDrained(ctx context.Context, o client.DrainOptions, status client.DrainStatus) error {
	ctx, cancel := context.WithDeadline(ctx, status.Deadline)
	defer cancel()
	for status.State != client.Drained {
		if !retry.Sleep(ctx, drainPause) {
			return nil
		}
		now, err := client.DrainState(ctx, o)
		switch {
		case errors.Is(err, client.ErrUnreachable):
			return nil
		case err != nil:
			return err
		}
		status = now
	}
	return nil
}

// options are where the relay with this environment listens, and its key.
func (c *drainCommand) options(p *program) (client.DrainOptions, error) {
	cfg, err := config.Bind(flags.New("drain"), "api_addr").Load(p.env, os.ReadFile)
	if err != nil {
		return client.DrainOptions{}, err
	}
	key, err := apiKey(p, c.apiKey)
	return client.DrainOptions{
		URL: cmp.Or(c.apiURL, p.variable(config.APIURLVariable), urlOf(cfg.APIAddr)), Key: key,
	}, err
}

// urlOf is how a listener on addr is reached from its own machine.
func urlOf(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr // cannot be: the settings have been checked
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// adviseDrain adds what to do about a relay that cannot be asked.
func adviseDrain(err error) error {
	if errors.Is(err, client.ErrUnreachable) {
		return hint(err, "is it running? RELAY_API_ADDR, or --api-url, says where its api listener is")
	}
	return err
}
