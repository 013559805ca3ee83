package bench

import (
	"fmt"
	"slices"
	"strings"
)

// When the load tester itself is what is measured.
const (
	busyLimit    = 85.0 // % of a core, of its busiest reader
	lateShare    = 0.1  // of the median latency
	machineLimit = 97.0 // % of all cores
)

// judge says how far the numbers of a result can be trusted.
func (r *Result) judge() []string {
	var notes []string
	if limit := r.where(generatorBusy, busyLimit); limit != "" {
		notes = append(notes, "The load tester was the bottleneck: its busiest reader used "+limit+". Latency and rates are at least partly its own.")
	} else if all := r.where(generatorBusy, 0); all != "" {
		notes = append(notes, "The load tester was not the bottleneck: its busiest reader used "+all+".")
	}
	if busy := r.where(machineBusy, machineLimit); busy != "" {
		notes = append(notes, "The machine had no core to spare: all cores were "+busy+". Rates are what is left beside the load tester and whatever else runs here, and latency holds the wait for a core; CPU time suffers less.")
	}
	for _, target := range r.Targets {
		s := r.Summary[target]
		if late, ok := s[generatorLate]; ok && late.Median > max(1, lateShare*s[latencyP50].Median) {
			notes = append(notes, fmt.Sprintf("One POST in a hundred to the %s was sent %.1f ms late or more, because the answer to the one before took long or no core was free; latency counts from when it was sent.", target, late.Median))
		}
	}
	if share, ok := r.Summary[relayName][compressedShare]; r.Parameters["compress"] == true && (!ok || share.Median < 99) {
		notes = append(notes, fmt.Sprintf("Only %.0f %% of the deliveries came compressed: the relay leaves alone what is small or does not shrink.", share.Median))
	}
	return append(notes, r.flaws()...)
}

// where lists the targets for which a quantity is above a limit: "5 % of a
// core for the relay, 7 % of a core for the floor".
func (r *Result) where(name string, limit float64) string {
	var parts []string
	for _, target := range r.Targets {
		if v, ok := r.Summary[target][name]; ok && v.Median > limit {
			parts = append(parts, fmt.Sprintf("%.0f %s for the %s", v.Median, unitOf(name), target))
		}
	}
	return strings.Join(parts, ", ")
}

// flaws says what did not arrive.
func (r *Result) flaws() []string {
	var notes []string
	for _, target := range r.Targets {
		var sum Checks
		ended := make(map[string]int)
		for _, run := range r.Runs {
			if run.Target != target {
				continue
			}
			sum.Add(run.Checks.Order)
			sum.Strangers += run.Checks.Strangers
			for reason, n := range run.Checks.Ended {
				ended[reason] += n
			}
		}
		if sum.Lost+sum.Duplicate+sum.OutOfOrder > 0 || sum.Strangers > 0 {
			notes = append(notes, fmt.Sprintf("Events through the %s: %d lost, %d twice, %d out of order, %d to the wrong client.",
				target, sum.Lost, sum.Duplicate, sum.OutOfOrder, sum.Strangers))
		}
		var reasons []string
		for reason, n := range ended {
			reasons = append(reasons, fmt.Sprintf("%d clients of the %s lost their connection: %s.", n, target, reason))
		}
		slices.Sort(reasons)
		notes = append(notes, reasons...)
	}
	return notes
}
