// Command relay is the relay and its tools: `relay` serves, `relay pub` and
// `relay sub` publish and follow from a terminal, `relay token` makes client
// tokens, `relay bench` measures, `relay inject` writes the relay into Kubernetes
// manifests, `relay config` shows the settings in force.
//
// It is the only package that reads flags, environment and signals; the rooms
// below it get plain values.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, &program{
		args: os.Args[1:], env: os.Environ(),
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}))
}
