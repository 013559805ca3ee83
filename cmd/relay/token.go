package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"relay/auth"
	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
	"relay/event"
)

var tokenEntry = entry{
	name: "token", args: "USER PATTERN...",
	summary: "Make a client token.",
	help: `The token lets USER subscribe to the channels that the patterns name: a channel,
or the beginning of names and *, which the shell must not see. It is signed here,
with the relay's RELAY_JWT_SECRET; no relay is asked.

  relay token alice orders.42 'news.*' --ttl 24h
`,
	make: func() command { return new(tokenCommand) },
}

type tokenCommand struct {
	settings *config.Loader
	ttl      time.Duration
}

func (c *tokenCommand) flags(fs *flag.FlagSet) {
	c.settings = config.Bind(fs, "jwt_secret")
	fs.DurationVar(&c.ttl, "ttl", time.Hour, "How long it is valid, as `DURATION`.")
}

func (c *tokenCommand) run(_ context.Context, p *program, args []string) error {
	if len(args) < 2 {
		return &flags.Error{Text: "it takes a user and the patterns of channels", Hint: "relay token alice orders.42 'news.*'"}
	}
	patterns := make([]event.Pattern, len(args)-1)
	for i, arg := range args[1:] {
		pattern, err := event.ParsePattern(arg)
		if err != nil {
			return &flags.Error{Text: err.Error(), Hint: "a pattern is a channel's name, or the beginning of names and *"}
		}
		patterns[i] = pattern
	}
	cfg, err := c.settings.Load(p.env, os.ReadFile)
	if err != nil {
		return err
	}
	if !cfg.JWTSecret.IsSet() {
		return hint(errors.New("there is no secret to sign with"),
			"set RELAY_JWT_SECRET, or --jwt-secret-file, to what the relay has")
	}
	token, _, err := auth.Mint([]byte(cfg.JWTSecret.Get()), args[0], patterns, c.ttl, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, token)
	return err
}
