package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
	"relay/cmd/relay/internal/suggest"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	// exitUsage: the command line could not be understood.
	exitUsage = 2
)

// program is one run of the command and all that it sees of the process, so
// that tests can run it beside themselves.
type program struct {
	// args stand behind the program's name.
	args []string
	// env is what os.Environ returns.
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// variable returns an environment variable, or "".
func (p *program) variable(name string) string {
	for _, entry := range p.env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// command is a subcommand: its flags, and what it does.
type command interface {
	// flags defines the command's flags.
	flags(fs *flag.FlagSet)
	// run does the work with the arguments that are not flags. It ends soon
	// after ctx is done.
	run(ctx context.Context, p *program, args []string) error
}

// entry describes a subcommand to people.
type entry struct {
	name string
	// args is the rest of the usage line.
	args string
	// summary is one line, help the text behind the usage line.
	summary, help string
	// settings: the flags are the relay's settings.
	settings bool
	// hidden: nobody but this program calls it.
	hidden bool
	make   func() command
}

// entries lists the subcommands in the order of the help.
func entries() []entry {
	return []entry{
		serveEntry, pubEntry, subEntry, checkEntry, tokenEntry, drainEntry, benchEntry, injectEntry,
		configEntry, versionEntry, helpEntry, floorEntry,
	}
}

func findEntry(name string) (entry, bool) {
	for _, e := range entries() {
		if e.name == name {
			return e, true
		}
	}
	return entry{}, false
}

// run is the program; it returns the exit code.
func run(ctx context.Context, p *program) int {
	name, args := split(p.args)
	e, ok := findEntry(name)
	if !ok {
		return p.report("relay", unknownCommand(name))
	}
	c := e.make()
	fs := flags.New(e.name)
	c.flags(fs)
	arguments, err := flags.Parse(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		return p.report("relay "+name, e.writeHelp(p.stdout, fs))
	}
	if err == nil {
		err = c.run(ctx, p, arguments)
	}
	return p.report("relay "+name, err)
}

// split finds the subcommand. Without one, `relay` serves.
func split(args []string) (name string, rest []string) {
	switch {
	case len(args) == 0:
		return serveEntry.name, nil
	case args[0] == "-h" || args[0] == "-help" || args[0] == "--help":
		return helpEntry.name, args[1:]
	case args[0] == "-version" || args[0] == "--version":
		return versionEntry.name, args[1:]
	case strings.HasPrefix(args[0], "-"):
		return serveEntry.name, args
	}
	return args[0], args[1:]
}

func unknownCommand(name string) error {
	var names []string
	for _, e := range entries() {
		if !e.hidden {
			names = append(names, e.name)
		}
	}
	e := &flags.Error{Text: fmt.Sprintf("there is no command %q", name), Hint: "`relay help` lists the commands"}
	if near, ok := suggest.Nearest(name, names); ok {
		e.Hint = "did you mean `relay " + near + "`?"
	}
	return e
}

// hinted is an error with advice.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// hint adds advice to an error.
func hint(err error, advice string) error { return &hinted{err, advice} }

// report tells a person what went wrong, and returns the exit code.
func (p *program) report(name string, err error) int {
	var usage *flags.Error
	var problems config.Problems
	var advised *hinted
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		advice := usage.Hint
		if advice == "" {
			advice = "`" + name + " --help` explains it"
		}
		p.complain(name, usage.Text, advice)
		return exitUsage
	case errors.As(err, &problems):
		for _, one := range problems {
			p.complain(name, one.Error(), one.Hint)
		}
	case errors.As(err, &advised):
		p.complain(name, err.Error(), advised.hint)
	default:
		p.complain(name, err.Error(), "")
	}
	return exitFailed
}

// complain writes one error. Both lines begin like this wherever they come
// from, so that they can be found in any log.
func (p *program) complain(name, text, advice string) {
	fmt.Fprintf(p.stderr, "%s: %s\n", name, text)
	if advice != "" {
		fmt.Fprintf(p.stderr, "hint: %s\n", advice)
	}
}
