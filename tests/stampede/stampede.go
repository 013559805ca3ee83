// Package stampede restarts relays under thousands of clients and looks at
// what those see. It runs real relays over a real Redis, publishes without a
// pause, lets a crowd listen over WebSocket, EventSource and polling, and plays
// scenes: restarts in a row, kills, a Redis that answers late or not at all.
//
// Where package chaos draws many faults for few clients, this plays few faults
// for many, and measures what they cost. Clients, publishers and the verdict are
// those of package crowd.
package stampede

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"relay/retry"
	"relay/tests/crowd"
	"relay/tests/harness"
)

// Config says how much of what is run. The zero value of a field stands for
// its default.
type Config struct {
	// Clients: 300. Of ten, seven speak WebSocket, two EventSource and one
	// polls. Every tenth has, beside a channel that it shares, one of its own.
	Clients int
	// Channels are shared by the clients: 5.
	Channels int
	// Rate is how many events a second the shared channels get together: 10.
	// Each goes to Clients/Channels clients.
	Rate float64
	// SoloRate is how many the clients' own channels get together: 20.
	SoloRate float64
	// Scenes are played in this order, by their names; default all.
	Scenes []string
	// DrainWindow is the relays': 2 s.
	DrainWindow time.Duration
	// Fault is how long a connection to Redis is broken: 3 s.
	Fault time.Duration
	// Quiet is how long the crowd is watched undisturbed before the scenes: 1 s.
	Quiet time.Duration
	// Patience is how long everybody may take to be back: 90 s.
	Patience time.Duration
	// Progress gets a line for each step; nil for none.
	Progress io.Writer
}

func (c Config) withDefaults() Config {
	defaultTo(&c.Clients, 300)
	defaultTo(&c.Channels, 5)
	defaultTo(&c.Rate, 10)
	defaultTo(&c.SoloRate, 20)
	defaultTo(&c.DrainWindow, 2*time.Second)
	defaultTo(&c.Fault, 3*time.Second)
	defaultTo(&c.Quiet, time.Second)
	defaultTo(&c.Patience, 90*time.Second)
	if c.Scenes == nil {
		c.Scenes = SceneNames()
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	return c
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Run plays the scenes until everybody has seen everything, or until ctx ends,
// and reports. All processes that it started have ended when it returns. An
// error means that the run itself could not be held.
func Run(ctx context.Context, config Config) (*Report, error) {
	config = config.withDefaults()
	for _, name := range config.Scenes {
		if scenes[name] == nil {
			return nil, fmt.Errorf("there is no scene %q; there are %q", name, SceneNames())
		}
	}
	h := &harness.Harness{}
	defer h.Close()
	r := &run{config: config, harness: h}
	h.Run(func() { r.play(ctx) })
	h.Close() // the relays' logs are looked through as they end
	complaints := h.Complaints()
	switch {
	case r.report != nil:
		r.report.Violations = append(r.report.Violations, complaints...)
		return r.report, nil
	case len(complaints) > 0:
		return nil, fmt.Errorf("the run could not be held: %s", complaints[0])
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the run was stopped: %w", context.Cause(ctx))
	}
	return nil, errors.New("the run ended without a verdict")
}

// run is the state of one run. Its fields are set before the actors start, and
// each guards itself.
type run struct {
	config  Config
	harness *harness.Harness
	fleet   *fleet
	crowd   *crowd.Crowd
	gauges  *gauges
	report  *Report
}

func (r *run) play(ctx context.Context) {
	r.setUp()
	ctx, stop := context.WithCancel(ctx)
	defer r.crowd.Wait()
	defer stop()
	stopMeasuring := r.gauges.watch(ctx)
	defer stopMeasuring()

	report := &Report{Config: r.config}
	report.Phases = append(report.Phases, r.phase(ctx, "arrival", func() { r.crowd.Arrive(ctx) }))
	stopPublishing := r.crowd.Publish(ctx)
	report.Phases = append(report.Phases, r.phase(ctx, "quiet", func() { retry.Sleep(ctx, r.config.Quiet) }))
	for _, name := range r.config.Scenes {
		report.Phases = append(report.Phases, r.phase(ctx, name, func() { scenes[name](ctx, r) }))
	}
	stopPublishing()
	report.Phases = append(report.Phases, r.phase(ctx, "end", func() {}))
	if ctx.Err() != nil {
		return
	}
	report.Violations = r.crowd.Wrongs()
	report.Totals = r.gauges.totals()
	for _, taken := range r.crowd.Taken() {
		report.Events += taken
	}
	r.report = report
}

func (r *run) setUp() {
	r.fleet = newFleet(r.harness, r.config)
	config := crowd.Config{
		Clients: r.config.Clients, Channels: r.config.Channels, Rate: r.config.Rate, SoloRate: r.config.SoloRate,
	}
	for _, n := range r.fleet.nodes {
		config.Public = append(config.Public, n.public)
		config.Publish = append(config.Publish, n.api)
	}
	r.crowd = crowd.New(config)
	r.gauges = newGauges(r)
}

// phase does something and waits until everybody has come to rest after it.
func (r *run) phase(ctx context.Context, name string, do func()) *Phase {
	r.tell("%s", name)
	p := r.gauges.begin(name)
	do()
	p.Did = time.Since(p.begin)
	if who := r.crowd.Await(ctx, r.config.Patience, r.crowd.Away); who != "" {
		r.crowd.Complain("%s: %s is not back after %v", name, who, r.config.Patience)
	}
	p.Back = time.Since(p.begin)
	goal := r.crowd.Taken()
	if who := r.crowd.Await(ctx, r.config.Patience, func() string { return r.crowd.Behind(goal) }); who != "" {
		r.crowd.Complain("%s: %s has not caught up after %v", name, who, r.config.Patience)
	}
	p.CaughtUp = time.Since(p.begin)
	r.gauges.end(p)
	if p.Came >= manyCome && p.Reads() > p.Came/2 {
		r.crowd.Complain("%s: %d clients cost %d reads of history: they do not share", name, p.Came, p.Reads())
	}
	r.tell("%v", p)
	return p
}

// manyCome is from how many returning clients on reads of history are judged.
// Few come one by one and share nothing; and positions are audited meanwhile.
const manyCome = 5000

func (r *run) tell(format string, args ...any) {
	fmt.Fprintf(r.config.Progress, "%s %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}
