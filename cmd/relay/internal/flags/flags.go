// Package flags parses and describes a command's flags: the standard library's
// flag package with errors that say what to do, flags allowed behind
// arguments, and help in one style.
package flags

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

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
		return &Error{Text: dashed(name) + " needs a value", Hint: "write " + dashed(name) + "=" + placeholder(fs.Lookup(name))}
	}
	if m := invalidValue.FindStringSubmatch(text); m != nil {
		return invalid(fs.Lookup(m[2]), m[1])
	}
	return &Error{Text: text}
}

// invalidValue matches what the flag package says about a value that the
// flag's Set did not like.
var invalidValue = regexp.MustCompile(`(?s)^invalid (?:boolean )?value (".*") for (?:flag )?-([^ :]+):`)

func invalid(f *flag.Flag, quoted string) error {
	e := &Error{Text: fmt.Sprintf("--%s: %s will not do", f.Name, quoted)}
	if g, ok := f.Value.(flag.Getter); ok {
		switch g.Get().(type) {
		case time.Duration:
			e.Text = fmt.Sprintf("--%s: %s is not a duration", f.Name, quoted)
			e.Hint = "write it like 90s, 10m or 1h30m"
		case bool:
			e.Text = fmt.Sprintf("--%s: %s is neither true nor false", f.Name, quoted)
		}
	}
	return e
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

// Describe writes one line for each flag whose name is wanted, in the order of
// their names.
func Describe(w io.Writer, fs *flag.FlagSet, wanted func(name string) bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fs.VisitAll(func(f *flag.Flag) {
		if !wanted(f.Name) {
			return
		}
		def := f.DefValue
		if d, err := time.ParseDuration(def); err == nil {
			def = FormatDuration(d)
		}
		// No command does anything zero times: it chooses a number.
		if def == "0" || def == "0s" {
			def = ""
		}
		_, usage := flag.UnquoteUsage(f)
		Line(t, f.Name, placeholder(f), usage, def)
	})
	t.Flush()
}

// FormatDuration writes 10m where time.Duration writes 10m0s.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// dashed is a flag as people write it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Line writes the line of one flag for a tabwriter.
func Line(w io.Writer, name, placeholder, usage, def string) {
	name = dashed(name)
	if placeholder != "" {
		name += " " + placeholder
	}
	if def != "" && def != "false" {
		usage += " (default " + def + ")"
	}
	fmt.Fprintf(w, "  %s\t%s\n", name, usage)
}
