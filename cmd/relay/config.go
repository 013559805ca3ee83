package main

import (
	"context"
	"flag"
	"os"

	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
)

//go:generate sh -c "go run . config --reference > ../../docs/settings.md"

var configEntry = entry{
	name:    "config",
	summary: "Show the settings in force, and where each comes from.",
	help: `It reads flags, environment and file as relay serve does, checks them, and prints
them as YAML that --config takes. Secrets are not shown.
`,
	settings: true,
	make:     func() command { return new(configCommand) },
}

type configCommand struct {
	settings  *config.Loader
	reference bool
}

func (c *configCommand) flags(fs *flag.FlagSet) {
	c.settings = config.Bind(fs)
	fs.BoolVar(&c.reference, "reference", false, "Print the reference page of all settings instead.")
}

func (c *configCommand) run(_ context.Context, p *program, args []string) error {
	if err := flags.NoArguments(args); err != nil {
		return err
	}
	if c.reference {
		return config.WriteReference(p.stdout)
	}
	cfg, err := c.settings.Load(p.env, os.ReadFile)
	if err != nil {
		return err
	}
	return cfg.WriteYAML(p.stdout)
}
