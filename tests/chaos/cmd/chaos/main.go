// Command chaos runs the breaker for as long as it is told and prints a
// report. It leaves with 1 if a promise was broken, and with 2 if the run
// could not be held.
//
//	go run ./tests/chaos/cmd/chaos -duration 30m -seed 7 -store cluster
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"relay/tests/chaos"
	"relay/tests/relaytest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	relaytest.Clean()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	config := chaos.Config{}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&config.Seed, "seed", uint64(time.Now().Unix()), "what all chance is drawn from; without it, the time")
	flags.DurationVar(&config.Duration, "duration", time.Minute, "how long faults are injected")
	flags.IntVar(&config.Relays, "relays", 0, "relay processes (default 3)")
	flags.IntVar(&config.Clients, "clients", 0, "clients (default 24)")
	flags.Func("store", "standalone, sentinel or cluster; without it, the seed draws one", func(text string) error {
		config.Store = chaos.Store(text)
		return config.Store.Check()
	})
	verbose := flags.Bool("v", false, "tell each fault")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *verbose {
		config.Progress = stderr
	}
	report, err := chaos.Run(ctx, config)
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return 2
	}
	fmt.Fprint(stdout, report)
	if len(report.Violations) > 0 {
		return 1
	}
	return 0
}
