package bench

import (
	"runtime"
	"slices"
	"time"

	"relay/bench/measure"
	"relay/bench/process"
)

// SchemaVersion counts the changes of Report that a reader of the JSON must
// know about. docs/benchmarking.md describes it.
const SchemaVersion = 1

// Report is all that was found out.
type Report struct {
	Schema  int       `json:"schema"`
	Command string    `json:"command"`
	Started time.Time `json:"started"`
	Took    float64   `json:"took_s"`
	Machine Machine   `json:"machine"`
	Relay   RelayInfo `json:"relay"`
	// Quantities explains the names in Values and Summary.
	Quantities []Quantity `json:"quantities"`
	Scenarios  []Result   `json:"scenarios"`
}

// Machine is where the load tester ran.
type Machine struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu"`
	Kernel string `json:"kernel"`
	Memory int64  `json:"memory_bytes,omitempty"`
	Go     string `json:"go"`
}

// RelayInfo is what was measured.
type RelayInfo struct {
	// StartedHere: by the load tester itself, with its own version.
	StartedHere bool   `json:"started_here"`
	Version     string `json:"version,omitempty"`
	URL         string `json:"url,omitempty"`
	Bus         string `json:"bus"`
}

// Result is what one case of a scenario found out.
type Result struct {
	Scenario string `json:"scenario"`
	// Title says in words what was done.
	Title      string         `json:"title"`
	Parameters map[string]any `json:"parameters"`
	// Headline names the quantities that the case is about.
	Headline []string `json:"headline"`
	// Targets are what was measured, the relay first.
	Targets []string `json:"targets"`
	// Summary is the spread of each quantity over the runs, by target.
	Summary map[string]map[string]measure.Spread `json:"summary"`
	// Ratios are the relay's values over the second target's, run by run.
	Ratios map[string]measure.Spread `json:"ratios,omitempty"`
	// Latency has the percentiles of all runs together, by target.
	Latency map[string][]Percentile `json:"latency,omitempty"`
	Runs    []Trial                 `json:"runs"`
	// Notes are sentences about how far the numbers can be trusted.
	Notes []string `json:"notes,omitempty"`

	histograms map[string]*measure.Histogram
}

// Percentile is a point of a distribution.
type Percentile struct {
	Percent float64 `json:"percent"`
	Millis  float64 `json:"ms"`
}

// Trial is one measurement of one target.
type Trial struct {
	Target string             `json:"target"`
	Number int                `json:"run"`
	Values map[string]float64 `json:"values"`
	Checks Checks             `json:"checks"`
	// Timeline are deliveries a second, one for each interval.
	Timeline         []float64 `json:"timeline,omitempty"`
	TimelineInterval float64   `json:"timeline_interval_s,omitempty"`
	// Curve are the steps of a search for the highest rate.
	Curve []Step `json:"curve,omitempty"`

	latency *measure.Histogram
}

// Checks are about what arrived.
type Checks struct {
	measure.Order
	// Events were published, Deliveries came, of Expected.
	Events     uint64 `json:"events"`
	Deliveries uint64 `json:"deliveries"`
	Expected   uint64 `json:"expected"`
	// Strangers came to clients that should not have got them.
	Strangers uint64 `json:"strangers"`
	// Ended are clients that lost their connection, by reason.
	Ended map[string]int `json:"ended,omitempty"`
}

// Whole tells whether everything came, once, in order, to the right clients.
func (c *Checks) Whole() bool {
	return c.Order == measure.Order{} && c.Strangers == 0 && len(c.Ended) == 0
}

// Step is one rate of a search.
type Step struct {
	Rate       float64 `json:"events_per_s"`
	Deliveries float64 `json:"deliveries_per_s"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	// Sustained: at this rate, within the bound, and nothing was lost.
	Sustained bool   `json:"sustained"`
	Why       string `json:"why_not,omitempty"`
}

// Flaws are the runs against the relay that did not get everything.
func (r *Report) Flaws() []*Trial {
	var flaws []*Trial
	for i := range r.Scenarios {
		for j := range r.Scenarios[i].Runs {
			if run := &r.Scenarios[i].Runs[j]; (run.Target == relayName || run.Target == plainName) && !run.Checks.Whole() {
				flaws = append(flaws, run)
			}
		}
	}
	return flaws
}

func newReport(o Options) *Report {
	cpu, kernel, memory := process.Describe()
	r := &Report{
		Schema: SchemaVersion, Command: o.Command, Quantities: quantities,
		Machine: Machine{Cores: runtime.NumCPU(), CPU: cpu, Kernel: kernel, Memory: memory, Go: runtime.Version()},
		Relay:   RelayInfo{StartedHere: o.Relay.PublicURL == "", URL: o.Relay.PublicURL, Bus: "unknown"},
	}
	if r.Relay.StartedHere {
		r.Relay.Version = o.Version
	}
	return r
}

// percents are the points of a distribution that are reported.
var percents = []float64{0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100}

// sumUp computes everything that follows from the runs.
func (r *Result) sumUp() {
	values := make(map[string]map[string][]float64)
	r.histograms = make(map[string]*measure.Histogram)
	for _, run := range r.Runs {
		if values[run.Target] == nil {
			values[run.Target] = make(map[string][]float64)
		}
		for name, v := range run.Values {
			values[run.Target][name] = append(values[run.Target][name], v)
		}
		if run.latency != nil && run.latency.Count() > 0 {
			if r.histograms[run.Target] == nil {
				r.histograms[run.Target] = new(measure.Histogram)
			}
			r.histograms[run.Target].Merge(run.latency)
		}
	}
	r.Summary = make(map[string]map[string]measure.Spread)
	for target, of := range values {
		r.Summary[target] = make(map[string]measure.Spread)
		for name, v := range of {
			r.Summary[target][name] = measure.SpreadOf(v)
		}
	}
	r.Latency = make(map[string][]Percentile)
	for target, h := range r.histograms {
		for _, p := range percents {
			r.Latency[target] = append(r.Latency[target], Percentile{p, millis(h.Percentile(p))})
		}
	}
	if len(r.Targets) == 2 {
		r.Ratios = r.ratios()
	}
	r.Notes = append(r.Notes, r.judge()...)
}

// ratios compares run by run: what disturbs the machine for a while disturbs
// neighbours alike.
func (r *Result) ratios() map[string]measure.Spread {
	found := make(map[string][]float64)
	for _, ours := range r.Runs {
		if ours.Target != r.Targets[0] {
			continue
		}
		i := slices.IndexFunc(r.Runs, func(theirs Trial) bool {
			return theirs.Target == r.Targets[1] && theirs.Number == ours.Number
		})
		if i < 0 {
			continue
		}
		for name, v := range ours.Values {
			if other := r.Runs[i].Values[name]; other > 0 && isCompared(name) {
				found[name] = append(found[name], v/other)
			}
		}
	}
	ratios := make(map[string]measure.Spread)
	for name, v := range found {
		ratios[name] = measure.SpreadOf(v)
	}
	return ratios
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
