package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"relay/cmd/relay/internal/config"
)

// newLogger makes the logger of the relay: for people on a terminal, for
// machines elsewhere, unless the format is given.
func newLogger(w io.Writer, format config.LogFormat, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == config.LogText || format == config.LogAuto && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	o.ReplaceAttr = readableDuration
	return slog.New(slog.NewJSONHandler(w, o))
}

// readableDuration writes 20s where JSON would have 20000000000.
func readableDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
