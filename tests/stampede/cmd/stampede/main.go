// Command stampede restarts relays under thousands of clients and prints what
// those saw and what it cost. It leaves with 1 if a promise was broken, and
// with 2 if the run could not be held.
//
//	go run ./tests/stampede/cmd/stampede -clients 10000
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"relay/tests/relaytest"
	"relay/tests/stampede"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	relaytest.Clean()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	config := stampede.Config{}
	flags := flag.NewFlagSet("stampede", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&config.Clients, "clients", 10_000, "clients; the limit of open files must allow two more than that")
	flags.IntVar(&config.Channels, "channels", 5, "channels that the clients share")
	flags.Float64Var(&config.Rate, "rate", 10, "events a second to the shared channels together")
	flags.Float64Var(&config.SoloRate, "solo-rate", 20, "events a second to the channels of one client together")
	flags.DurationVar(&config.DrainWindow, "drain", 10*time.Second, "the relays' drain window")
	flags.DurationVar(&config.Fault, "fault", 20*time.Second, "how long a connection to Redis is dropped in one direction")
	flags.DurationVar(&config.Quiet, "quiet", 5*time.Second, "how long nothing is done, to compare with")
	flags.DurationVar(&config.Patience, "patience", 90*time.Second, "how long everybody may take to be back and to catch up")
	scenes := flags.String("scenes", strings.Join(stampede.SceneNames(), ","), "what is played, in this order")
	verbose := flags.Bool("v", false, "tell each step")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	config.Scenes = strings.Split(*scenes, ",")
	if *verbose {
		config.Progress = stderr
	}
	report, err := stampede.Run(ctx, config)
	if err != nil {
		fmt.Fprintln(stderr, "stampede:", err)
		return 2
	}
	fmt.Fprint(stdout, report)
	if len(report.Violations) > 0 {
		return 1
	}
	return 0
}
