// Command growth measures how a relay's cost grows, and draws it into a file.
//
//	go run ./tests/growth/cmd/growth -o docs/growth.svg
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"relay/bench/plot"
	"relay/tests/growth"
	"relay/tests/relaytest"
)

func main() {
	out := flag.String("o", "docs/growth.svg", "the file that is written")
	config := growth.Default()
	flag.IntVar(&config.Runs, "runs", config.Runs, "of each point; the median is drawn")
	flag.DurationVar(&config.Duration, "duration", config.Duration, "of each run")
	flag.Parse()
	config.Progress = os.Stderr
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	figures, err := growth.Run(ctx, config)
	relaytest.Clean()
	if err == nil {
		err = os.WriteFile(*out, []byte(plot.File("How a relay's cost grows",
			"Four plots: CPU per delivery by clients, by channels, by the size of an event, and CPU per event by relays.", figures)), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}
