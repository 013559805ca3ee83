// Package growth measures how a relay's cost grows with connections, channels,
// the size of events and the number of instances, and draws it. The numbers
// are of `relay bench`, one run of it for each point.
package growth

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"relay/bench"
	"relay/bench/plot"
	"relay/tests/harness"
	"relay/tests/redistest"
	"relay/tests/relaytest"
)

// Config says what is measured. Every list has the values of one axis.
type Config struct {
	Clients, Channels, Sizes, Instances []int
	// Runs and Duration are of each point.
	Runs     int
	Duration time.Duration
	// Events are how many each point of Instances publishes.
	Events int
	// Progress gets a line for each point.
	Progress io.Writer
}

// Default takes about ten minutes.
func Default() Config {
	return Config{
		Clients:   []int{100, 300, 1000, 3000, 10000},
		Channels:  []int{100, 300, 1000, 3000, 10000},
		Sizes:     []int{64, 256, 1024, 4096, 16384},
		Instances: []int{1, 2, 4, 6, 8},
		Runs:      3, Duration: 3 * time.Second, Events: 20_000,
	}
}

// deliveriesRate is that of the points over clients: the machine shall be busy
// and not full, or bursts would make many clients look cheaper than few.
const deliveriesRate = 20_000

// Run measures everything. Figures are four plots.
func Run(ctx context.Context, config Config) ([]plot.Named, error) {
	h := &harness.Harness{}
	defer h.Close()
	var figures []plot.Named
	var err error
	h.Run(func() {
		r := &run{ctx: ctx, config: config, harness: h}
		figures, err = r.all()
	})
	h.Close()
	if complaints := h.Complaints(); len(complaints) > 0 {
		return nil, fmt.Errorf("the measurement could not be held: %s", complaints[0])
	}
	return figures, err
}

type run struct {
	ctx     context.Context
	config  Config
	harness *harness.Harness
	redis   *redistest.Server
}

func (r *run) all() ([]plot.Named, error) {
	r.redis = redistest.Start(r.harness)
	var figures []plot.Named
	for _, measure := range []func() (plot.Named, error){r.clients, r.channels, r.sizes, r.instances} {
		figure, err := measure()
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure)
	}
	return figures, nil
}

func (r *run) clients() (plot.Named, error) {
	return r.benched("one channel, by its clients", "clients", "cpu_per_delivery", "µs of CPU per delivery", r.config.Clients,
		func(n int) []string {
			rate := min(200, deliveriesRate/float64(n))
			return []string{"fanout", "--clients", strconv.Itoa(n), "--rate", fmt.Sprint(rate)}
		})
}

func (r *run) channels() (plot.Named, error) {
	return r.benched("a channel for each client, by their number", "channels", "cpu_per_delivery", "µs of CPU per publish and delivery", r.config.Channels,
		func(n int) []string { return []string{"channels", "--clients", strconv.Itoa(n)} })
}

func (r *run) sizes() (plot.Named, error) {
	return r.benched("1 000 clients, by the size of an event", "bytes of data", "cpu_per_delivery", "µs of CPU per delivery", r.config.Sizes,
		func(n int) []string {
			return []string{"fanout", "--clients", "1000", "--rate", "20", "--size", strconv.Itoa(n)}
		})
}

// benched draws a value of `relay bench` over what is varied.
func (r *run) benched(title, varied, value, label string, values []int, args func(int) []string) (plot.Named, error) {
	lines := map[string]*plot.Series{}
	var names []string
	for _, n := range values {
		report, err := r.bench(args(n)...)
		if err != nil {
			return plot.Named{}, err
		}
		for _, target := range report.Scenarios[0].Targets {
			spread, ok := report.Scenarios[0].Summary[target][value]
			if !ok {
				continue
			}
			if lines[target] == nil {
				lines[target] = &plot.Series{Class: "floor", Name: target, Line: true, Dots: true}
				names = append(names, target)
			}
			lines[target].Points = append(lines[target].Points, r.point(title, target, n, spread.Median))
		}
	}
	if lines["relay"] == nil {
		return plot.Named{}, fmt.Errorf("`relay bench` gives no %s", value)
	}
	lines["relay"].Class = "relay"
	var series []plot.Series
	for _, name := range names {
		series = append(series, *lines[name])
	}
	return figure(title, varied, label, series...), nil
}

func (r *run) point(title, name string, x int, y float64) plot.Point {
	fmt.Fprintf(r.config.Progress, "%s: %d: %s %.3g\n", title, x, name, y)
	return plot.Point{X: float64(x), Y: y, Title: fmt.Sprintf("%d: %.3g", x, y)}
}

func figure(title, x, y string, series ...plot.Series) plot.Named {
	least, most, highest := series[0].Points[0].X, 0.0, 0.0
	for _, s := range series {
		for _, at := range s.Points {
			least, most, highest = min(least, at.X), max(most, at.X), max(highest, at.Y)
		}
	}
	p := plot.Plot{X: plot.Logarithmic(x, least, most), Y: plot.Linear(y, highest*1.15), Series: series}
	if most < 20 {
		p.X = plot.Linear(x, most)
	}
	return plot.Named{Title: title, Plot: p}
}

func (r *run) bench(args ...string) (*bench.Report, error) {
	report, err := relaytest.Bench(r.ctx, relaytest.PlainBinary(r.harness), append(args, "--runs", strconv.Itoa(r.config.Runs),
		"--duration", r.config.Duration.String(), "--redis-url", "redis://"+r.redis.Addr)...)
	if err == nil && len(report.Scenarios) == 0 {
		err = fmt.Errorf("relay bench %s gave no results", args[0])
	}
	return report, err
}
