// Package bench is the load tester behind `relay bench`. A scenario puts a
// load on a relay and, in turn with it, on the floor: the least program that
// does the same work on the wire. What it measures of both, and what it finds
// wrong with the events that arrive, is a Report.
//
// It knows the relay from outside only: its addresses, its process and its
// metrics.
package bench

import (
	"context"
	"fmt"
	"time"
)

// Run runs scenarios, one after the other. A relay that loses events is no
// error: see Report.Flaws.
func Run(ctx context.Context, o Options) (*Report, error) {
	started := time.Now()
	report := newReport(o)
	plans, err := plan(o)
	if err != nil {
		return nil, err
	}
	s := &session{ctx: ctx, report: report, progress: newProgress(o.OnProgress, plans)}
	for _, p := range plans {
		s.Options = p.options
		results, err := p.scenario.run(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.scenario.Name, err)
		}
		for i := range results {
			results[i].sumUp()
		}
		report.Scenarios = append(report.Scenarios, results...)
	}
	report.Started, report.Took = started, time.Since(started).Seconds()
	return report, nil
}

// planned is a scenario with all its numbers.
type planned struct {
	scenario Scenario
	options  Options
}

// plan completes the options for each scenario, and refuses what cannot be.
func plan(o Options) ([]planned, error) {
	var plans []planned
	for _, name := range o.Scenarios {
		scenario, ok := findScenario(name)
		if !ok {
			return nil, fmt.Errorf("there is no scenario %q", name)
		}
		complete, err := o.complete(scenario)
		if err != nil {
			return nil, err
		}
		plans = append(plans, planned{scenario, complete})
	}
	return plans, nil
}
