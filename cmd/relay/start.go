package main

import (
	"context"
	"flag"
	"os"

	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
)

var serveEntry = entry{
	name:    "serve",
	summary: "Run the relay.",
	help: `Every flag can also be a variable (--public-addr: RELAY_PUBLIC_ADDR) or a line in
a YAML file (public_addr: ...). A flag beats a variable, which beats the file.
docs/settings.md says more about each; relay config shows what is in force.
`,
	settings: true,
	make:     func() command { return new(serveCommand) },
}

// serveCommand loads the settings and hands over to serve.
type serveCommand struct{ settings *config.Loader }

func (c *serveCommand) flags(fs *flag.FlagSet) { c.settings = config.Bind(fs) }

func (c *serveCommand) run(ctx context.Context, p *program, args []string) error {
	if err := flags.NoArguments(args); err != nil {
		return err
	}
	cfg, err := c.settings.Load(p.env, os.ReadFile)
	if err != nil {
		return err
	}
	return serve(ctx, p, cfg, newLogger(p.stderr, cfg.LogFormat, cfg.LogLevel))
}
