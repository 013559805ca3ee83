package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// architectures are what the image runs on, all with Linux.
var architectures = []string{"amd64", "arm64"}

// build is the relay's program for each architecture, and what it is made of.
type build struct {
	version, revision, goVersion string
	committed, created           time.Time
	binaries                     map[string][]byte // by architecture
	relay                        part
	parts                        []part // sorted by path
}

// buildAll compiles the relay and looks up its parts.
func buildAll(ctx context.Context, repository string) (*build, error) {
	dir, err := os.MkdirTemp("", "relay-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &build{binaries: make(map[string][]byte)}
	modules := make(map[string]*debug.Module)
	for _, arch := range architectures {
		path := filepath.Join(dir, arch)
		if err := compile(ctx, repository, arch, path); err != nil {
			return nil, err
		}
		if b.binaries[arch], err = os.ReadFile(path); err != nil {
			return nil, err
		}
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := b.describe(info); err != nil {
			return nil, err
		}
		for _, m := range info.Deps {
			modules[m.Path] = m
		}
	}
	if err := b.findParts(ctx, repository, modules); err != nil {
		return nil, err
	}
	return b, nil
}

// compile builds a static program. What the environment could change in it is
// set, so that the same commit and the same Go give the same bytes everywhere.
func compile(ctx context.Context, repository, arch, output string) error {
	// Without its symbol table and DWARF the program is a quarter smaller;
	// stack traces and profiles need neither.
	_, err := runGo(ctx, repository, []string{
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off",
	}, "build", "-mod=readonly", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", output, "./cmd/relay")
	return err
}

// describe takes over what the go command wrote into a program about itself.
func (b *build) describe(info *debug.BuildInfo) error {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	committed, err := time.Parse(time.RFC3339, settings["vcs.time"])
	if err != nil {
		return fmt.Errorf("the program does not know its commit, is this a git checkout? %w", err)
	}
	b.version, b.goVersion = info.Main.Version, info.GoVersion
	b.revision, b.committed = settings["vcs.revision"], committed
	if settings["vcs.modified"] == "true" {
		b.revision += "-dirty"
	}
	return nil
}

// tag is the version as an image's tag, which must not have the + of versions
// with changes that are not committed.
func tag(version string) string { return strings.ReplaceAll(version, "+", "-") }

// runGo runs the go command in a folder and returns what it printed.
func runGo(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.Join(fmt.Errorf("go %s: %w", args[0], err), errors.New(strings.TrimSpace(stderr.String())))
	}
	return strings.TrimSpace(string(out)), nil
}
