// Package flags parses and describes a command's flags: the standard library's
// flag package with errors that say what to do, flags allowed behind
// arguments, and help in one style.
package flags

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"relay/cmd/relay/internal/suggest"
)

// Error says that a command line could not be read.
type Error struct{ Text, Hint string }

func (e *Error) Error() string { return e.Text }

// New makes a set of flags that reports through Parse only.
func New(command string) *flag.FlagSet {
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}

// Parse reads flags wherever they stand, before "--", and returns the
// arguments between them. The error is flag.ErrHelp or an *Error.
func Parse(fs *flag.FlagSet, args []string) (arguments []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, explain(fs, err)
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return arguments, nil
		}
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(arguments, rest...), nil
		}
		// The flag package stops at the first argument; people write
		// `relay pub orders.42 '{}' --no-history`.
		arguments, args = append(arguments, rest[0]), rest[1:]
	}
}

// NoArguments refuses arguments to a command that takes none.
func NoArguments(arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	e := &Error{Text: fmt.Sprintf("unexpected argument %q", arguments[0])}
	switch arguments[0] {
	case "true", "false", "auto":
		e.Hint = "a switch takes its value after an equals sign, as in --open=" + arguments[0]
	}
	return e
}

// explain turns the flag package's messages into sentences.
func explain(fs *flag.FlagSet, err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return flag.ErrHelp
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return unknown(fs, strings.TrimPrefix(name, "-"))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		name = strings.TrimPrefix(name, "-")
		return &Error{Text: "--" + name + " needs a value", Hint: "write --" + name + "=" + placeholder(fs.Lookup(name))}
	}
	return &Error{Text: text}
}

func unknown(fs *flag.FlagSet, name string) error {
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	e := &Error{Text: "there is no flag --" + name}
	if near, ok := suggest.Nearest(name, names); ok {
		e.Hint = "did you mean --" + near + "?"
	} else if strings.Trim(name, "0123456789.") == "" {
		e.Hint = "an argument that begins with a dash stands after --"
	}
	return e
}

// Describer is a flag.Value that knows what stands for it in help.
type Describer interface{ Placeholder() string }

// placeholder is what stands for a flag's value in help; empty for a switch.
func placeholder(f *flag.Flag) string {
	if f == nil {
		return "VALUE"
	}
	if d, ok := f.Value.(Describer); ok {
		return d.Placeholder()
	}
	name, _ := flag.UnquoteUsage(f)
	return name
}

// Describe writes one line for each flag, in the order of their names.
func Describe(w io.Writer, fs *flag.FlagSet) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fs.VisitAll(func(f *flag.Flag) {
		_, usage := flag.UnquoteUsage(f)
		Line(t, f.Name, placeholder(f), usage, f.DefValue)
	})
	t.Flush()
}

// Line writes the line of one flag for a tabwriter.
func Line(w io.Writer, name, placeholder, usage, def string) {
	if placeholder != "" {
		name += " " + placeholder
	}
	if def != "" && def != "false" {
		usage += " (default " + def + ")"
	}
	fmt.Fprintf(w, "  --%s\t%s\n", name, usage)
}
