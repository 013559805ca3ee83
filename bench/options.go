package bench

import (
	"cmp"
	"fmt"
	"runtime"
	"time"

	"relay/bench/load"
	"relay/bench/process"
)

// Options say what to run, against what. A number that is zero is chosen by
// the scenario.
type Options struct {
	// Scenarios are names of Scenarios().
	Scenarios []string
	// Clients is how many connect, and Transport how.
	Clients   int
	Transport load.Transport
	// Rate is in events a second; Batch is how many events go into one
	// request; Size is that of an event's data in bytes.
	Rate  float64
	Batch int
	Size  int
	// Compress has the clients ask for compressed messages, and compares the
	// relay with one whose clients do not, instead of with the floor.
	Compress bool
	// Publishers is how many connections publish.
	Publishers int
	// Duration is that of a run's measurement, Warmup what comes before it.
	Duration, Warmup time.Duration
	// Runs is how often everything is measured.
	Runs int
	// Bound is the 99th percentile of latency up to which a rate counts as sustained.
	Bound time.Duration

	// Relay is a relay that runs already. Without a PublicURL the load tester
	// starts one.
	Relay RelayAddress
	// RedisURL is for a relay that is started here; empty: the in-process bus.
	RedisURL string
	// Program is this program's path, Env its environment: it is started as
	// relay and as floor.
	Program string
	Env     []string
	// NoFloor measures the relay alone, with nothing beside it.
	NoFloor bool

	// Command and Version are told in the report.
	Command, Version string
	// OnProgress is told how far everything is.
	OnProgress func(Progress)
}

// RelayAddress is where a running relay is.
type RelayAddress struct {
	// PublicURL, APIURL and OpsURL are its listeners; without the last, its
	// metrics are not read.
	PublicURL, APIURL, OpsURL string
	// PID is its process, if it runs on this machine.
	PID int
	// Key is an API key, Token a client token for the channels bench.*.
	Key, Token string
}

// Limits of what can be asked for.
const (
	maxBatch = 1000 // of the relay's API
	maxLanes = 9999 // of the stamp in an event
	// spareFiles are the descriptors that are not clients.
	spareFiles = 300
)

// compressedSize is that of events where compression is measured: the relay
// does not try with those that fit into a packet anyway.
const compressedSize = 1024

// complete fills in what a scenario chooses, and refuses what cannot be.
func (o Options) complete(s Scenario) (Options, error) {
	d := s.defaults
	o.Clients = cmp.Or(o.Clients, d.Clients)
	o.Transport = cmp.Or(o.Transport, load.WebSocket)
	o.Rate = cmp.Or(o.Rate, d.Rate)
	o.Batch = cmp.Or(o.Batch, 1)
	o.Compress = o.Compress && !s.silent
	if o.Compress {
		o.Size = cmp.Or(o.Size, compressedSize)
	}
	o.Size = cmp.Or(o.Size, 128)
	o.Publishers = cmp.Or(o.Publishers, d.Publishers, 1)
	o.Duration = cmp.Or(o.Duration, d.Duration, 10*time.Second)
	o.Warmup = cmp.Or(o.Warmup, min(time.Second, o.Duration))
	o.Runs = cmp.Or(o.Runs, d.Runs, 5)
	o.Bound = cmp.Or(o.Bound, 100*time.Millisecond)
	if err := o.check(); err != nil {
		return o, err
	}
	return o, nil
}

func (o *Options) check() error {
	if o.Transport != load.WebSocket && o.Transport != load.EventStream {
		return fmt.Errorf("the transport is %q; it can be %s or %s", o.Transport, load.WebSocket, load.EventStream)
	}
	if o.Compress && o.Transport != load.WebSocket {
		return fmt.Errorf("only WebSocket clients can be sent compressed messages, and the transport is %s", o.Transport)
	}
	for _, url := range []string{o.Relay.PublicURL, o.Relay.APIURL, o.Relay.OpsURL} {
		if url == "" {
			continue
		}
		if err := load.CheckURL(url); err != nil {
			return err
		}
	}
	for _, n := range []struct {
		name    string
		is      float64
		min     float64
		max     float64
		because string
	}{
		{"clients", float64(o.Clients), 0, float64(maxClients()), "one process may not open more files; raise the limit (ulimit -n)"},
		{"the rate", o.Rate, 0, 1e6, "no publisher is faster"},
		{"events a request", float64(o.Batch), 1, maxBatch, "the relay takes no more"},
		{"the size", float64(o.Size), float64(load.MinData), 1 << 19, "an event carries its number and its time"},
		{"publishers", float64(o.Publishers), 1, maxLanes, "their number is part of each event"},
		{"runs", float64(o.Runs), 1, 1000, "it would not end"},
	} {
		if n.is < n.min || n.is > n.max {
			return fmt.Errorf("%s: %v is not between %v and %v: %s", n.name, n.is, n.min, n.max, n.because)
		}
	}
	if o.Duration <= 0 {
		return fmt.Errorf("the duration %v is not more than nothing", o.Duration)
	}
	return nil
}

// maxClients is how many connections this process can have.
func maxClients() int {
	if files := process.Files(); files > 0 {
		return max(files-spareFiles, 1)
	}
	return 1_000_000
}

// loops is how many threads read: on a small machine one, so that the relay
// has the rest.
func loops() int { return min(max(runtime.NumCPU()/2, 1), 8) }
