package bench

import (
	"fmt"
	"time"

	"relay/bench/load"
)

// Scenario is a kind of load.
type Scenario struct {
	Name string
	// Summary is a sentence for the help.
	Summary string

	defaults Options
	// cases is how many results it has.
	cases int
	// silent: nobody listens, so there is nothing to compress.
	silent bool
	run    func(*session) ([]Result, error)
}

// Scenarios lists all in the order of the help.
func Scenarios() []Scenario {
	return []Scenario{
		{
			Name: "fanout", Summary: "All clients on one channel, events at a steady rate: CPU per delivery, and latency.",
			// Several publishers, so that the rate does not hang on one answer.
			defaults: Options{Clients: 1000, Rate: 50, Publishers: 4}, cases: 1, run: (*session).fanout,
		},
		{
			Name: "channels", Summary: "A channel for each client, POSTs to random ones as fast as answers come.",
			defaults: Options{Clients: 10_000, Publishers: 32}, cases: 1, run: (*session).manyChannels,
		},
		{
			Name: "storm", Summary: "All clients connect and subscribe at once.",
			defaults: Options{Clients: 10_000}, cases: 1, run: (*session).storm,
		},
		{
			Name: "idle", Summary: "Clients that only listen, each to a channel of its own: memory and CPU.",
			defaults: Options{Clients: 10_000, Duration: 30 * time.Second, Runs: 1}, cases: 1, run: (*session).idle,
		},
		{
			Name: "publish", Summary: "Nobody listens: single events, and arrays to one channel and to a hundred.",
			silent:   true,
			defaults: Options{Publishers: 32}, cases: len(publishCases), run: (*session).publish,
		},
		{
			Name: "saturation", Summary: "The highest rate of deliveries at which the 99th percentile stays in bounds.",
			defaults: Options{Clients: 1000, Rate: 200, Publishers: 8, Duration: 4 * time.Second, Runs: 3}, cases: 1, run: (*session).saturation,
		},
	}
}

func findScenario(name string) (Scenario, bool) {
	for _, s := range Scenarios() {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}

// parameters are the options that a reader of the report wants to see.
func (s *session) parameters(names ...string) map[string]any {
	all := map[string]any{
		"clients": s.Clients, "transport": s.Transport, "rate": s.Rate, "batch": s.Batch, "size": s.Size,
		"publishers": s.Publishers, "duration_s": s.Duration.Seconds(), "runs": s.Runs, "bound_ms": millis(s.Bound),
	}
	chosen := map[string]any{"runs": s.Runs}
	if s.Compress {
		chosen["compress"] = true
	}
	for _, name := range names {
		chosen[name] = all[name]
	}
	return chosen
}

// clientsText says how many clients there are, and of what kind.
func (s *session) clientsText() string {
	kind := "WebSocket"
	if s.Transport == load.EventStream {
		kind = "EventSource"
	}
	if s.Compress {
		kind = "compressing " + kind
	}
	return fmt.Sprintf("%d %s clients", s.Clients, kind)
}
