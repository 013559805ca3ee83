package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"relay/cmd/relay/internal/flags"
)

var versionEntry = entry{
	name:    "version",
	summary: "Print the version.",
	make:    func() command { return versionCommand{} },
}

type versionCommand struct{}

func (versionCommand) flags(*flag.FlagSet) {}

func (versionCommand) run(_ context.Context, p *program, args []string) error {
	if err := flags.NoArguments(args); err != nil {
		return err
	}
	info, _ := debug.ReadBuildInfo()
	return writeVersion(p.stdout, info)
}

// version is the version of the module as the go command recorded it in this
// binary: a tag, a pseudo-version of a commit, or "(devel)".
func version() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if info == nil || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

// writeVersion writes what somebody who reports a problem should quote.
func writeVersion(w io.Writer, info *debug.BuildInfo) error {
	if _, err := fmt.Fprintf(w, "relay %s\n", versionOf(info)); err != nil {
		return err
	}
	if info != nil {
		about := make(map[string]string)
		for _, s := range info.Settings {
			about[s.Key] = s.Value
		}
		if commit := about["vcs.revision"]; commit != "" {
			changed := ""
			if about["vcs.modified"] == "true" {
				changed = ", with changes that are not committed"
			}
			if _, err := fmt.Fprintf(w, "commit %s of %s%s\n", commit, about["vcs.time"], changed); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
