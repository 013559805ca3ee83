// Command image builds the container image of the relay as an OCI archive, and
// writes what it is made of beside it. It needs no daemon and no registry.
//
//	go run . -repository ../.. -archive ../../bin/relay.oci.tar -sbom ../../bin/relay.sbom.json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH"), os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, epoch string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(stderr)
	repository := flags.String("repository", ".", "the relay's git checkout, a `folder`")
	archive := flags.String("archive", "relay.oci.tar", "the `file` to write the image to")
	sbom := flags.String("sbom", "relay.sbom.json", "the `file` to write the bill of materials to")
	name := flags.String("name", "docker.io/library/relay", "the image's full `name`, without a tag")
	if err := flags.Parse(args); err != nil {
		return err
	}
	built, err := buildAll(ctx, *repository)
	if err != nil {
		return err
	}
	if built.created, err = creation(built.committed, epoch); err != nil {
		return err
	}
	idx, err := newIndex(built)
	if err != nil {
		return err
	}
	for _, path := range []string{*archive, *sbom} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
	}
	if err := toFile(*sbom, func(w io.Writer) error { return writeSBOM(w, built) }); err != nil {
		return err
	}
	if err := toFile(*archive, func(w io.Writer) error { return writeArchive(w, idx, *name, tag(built.version)) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "image: %s:%s, built with %s\n", *name, tag(built.version), built.goVersion)
	return err
}

// creation is when the image is said to have been made: a time that is the same
// for everybody who builds this commit.
// https://reproducible-builds.org/specs/source-date-epoch/
func creation(committed time.Time, epoch string) (time.Time, error) {
	if epoch == "" {
		return committed.UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is not a number of seconds: %q", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// toFile writes a file whole or not at all: a half-written archive must not
// look like a new one.
func toFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = write(f)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
