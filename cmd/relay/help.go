package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
)

var helpEntry = entry{
	name: "help", args: "[COMMAND]",
	summary: "Explain a command.",
	make:    func() command { return helpCommand{} },
}

type helpCommand struct{}

func (helpCommand) flags(*flag.FlagSet) {}

func (helpCommand) run(_ context.Context, p *program, args []string) error {
	switch len(args) {
	case 0:
		return writeOverview(p.stdout)
	case 1:
		e, ok := findEntry(args[0])
		if !ok {
			return unknownCommand(args[0])
		}
		fs := flags.New(e.name)
		e.make().flags(fs)
		return e.writeHelp(p.stdout, fs)
	}
	return flags.NoArguments(args[1:])
}

// writeOverview writes the help of the program as a whole.
func writeOverview(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`relay takes events over HTTP and hands them to browsers over WebSocket and EventSource.

Usage: relay [COMMAND] [FLAGS]

`)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, e := range entries() {
		if !e.hidden {
			fmt.Fprintf(t, "  %s\t%s\n", e.name, e.summary)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b.WriteString(`
Without a command, relay serves. ` + "`relay help COMMAND`" + ` explains a command.
`)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeHelp writes the help of one command.
func (e entry) writeHelp(w io.Writer, fs *flag.FlagSet) error {
	var b strings.Builder
	hasFlags := false
	fs.VisitAll(func(*flag.Flag) { hasFlags = true })

	usage := "relay " + e.name
	if e.args != "" {
		usage += " " + e.args
	}
	if hasFlags {
		usage += " [FLAGS]"
	}
	fmt.Fprintf(&b, "%s\n\nUsage: %s\n", e.summary, usage)
	if e.help != "" {
		b.WriteString("\n" + e.help)
	}
	if hasFlags {
		b.WriteString("\n")
	}
	flags.Describe(&b, fs, func(name string) bool { return !e.settings || !config.IsSetting(name) })
	if e.settings {
		if err := config.WriteHelp(&b); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
