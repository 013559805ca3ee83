// Package kube tests the relay on a real Kubernetes: every shape in which it is
// installed, mistakes, faults, and rolling deploys under thousands of clients.
// The tests have the build tag kube and run with `make kube-test` on whatever
// cluster KUBECONFIG names; README.md says what they need.
package kube

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"relay/bench/plot"
)

// Timeline is what rollouts under a crowd looked like, second by second.
type Timeline struct {
	Moments []Moment
	// Pace is how many clients a second are to come back, as planned.
	Pace float64
}

// Moment is about one second.
type Moment struct {
	// At is when it ended.
	At time.Duration
	// Came is how many clients came in a second.
	Came float64
	// P99 is how old an event was at most when 99 of 100 clients saw it; 0: there was none.
	P99 time.Duration
	// Connections are those of each pod.
	Connections map[Pod]int
}

// Pod names one, and those that were made like it.
type Pod struct{ Name, Generation string }

// Draw draws the timeline as an SVG file.
func (t *Timeline) Draw() string {
	return plot.File("Rolling restarts",
		"How many clients come back in each second, how old events are when clients see them, and how many connections each pod has, over time.",
		[]plot.Named{
			{Title: "Clients that come back", Plot: t.arrivals()},
			{Title: "Connections of each pod", Plot: t.connections()},
			{Title: "From the app's POST to the client, 99 of 100", Plot: t.latencies()},
		})
}

func (t *Timeline) seconds() plot.Axis {
	var end float64
	if len(t.Moments) > 0 {
		end = t.Moments[len(t.Moments)-1].At.Seconds()
	}
	a := plot.Linear("seconds", end)
	a.Max = max(end, 1)
	a.Ticks = slices.DeleteFunc(a.Ticks, func(t plot.Tick) bool { return t.At > a.Max })
	return a
}

func (t *Timeline) arrivals() plot.Plot {
	line := plot.Series{Class: "relay", Line: true}
	most := t.Pace
	for _, m := range t.Moments {
		line.Points = append(line.Points, plot.Point{X: m.At.Seconds(), Y: m.Came})
		most = max(most, m.Came)
	}
	return plot.Plot{
		X: t.seconds(), Y: plot.Linear("a second", most*1.1),
		Series: []plot.Series{line}, Limit: t.Pace, LimitText: "as planned",
	}
}

func (t *Timeline) latencies() plot.Plot {
	line := plot.Series{Class: "relay", Line: true}
	low, high := 1.0, 1.0
	for _, m := range t.Moments {
		if m.P99 == 0 {
			continue
		}
		millis := float64(m.P99) / float64(time.Millisecond)
		line.Points = append(line.Points, plot.Point{X: m.At.Seconds(), Y: millis})
		if len(line.Points) == 1 {
			low = millis
		}
		low, high = min(low, millis), max(high, millis)
	}
	return plot.Plot{
		X: t.seconds(), Y: plot.Logarithmic("ms", low, high),
		Series: []plot.Series{line},
	}
}

// connections has a line for each pod; those of one rollout look alike.
func (t *Timeline) connections() plot.Plot {
	lines := make(map[Pod]*plot.Series)
	var generations []string
	most := 0
	for _, m := range t.Moments {
		for _, pod := range slices.SortedFunc(maps.Keys(m.Connections), byName) {
			line := lines[pod]
			if line == nil {
				if !slices.Contains(generations, pod.Generation) {
					generations = append(generations, pod.Generation)
				}
				i := slices.Index(generations, pod.Generation)
				line = &plot.Series{Class: classOf(i), Name: nameOf(i), Line: true}
				lines[pod] = line
			}
			line.Points = append(line.Points, plot.Point{X: m.At.Seconds(), Y: float64(m.Connections[pod])})
			most = max(most, m.Connections[pod])
		}
	}
	p := plot.Plot{X: t.seconds(), Y: plot.Linear("connections", float64(most)*1.1)}
	for i := range generations {
		for _, pod := range slices.SortedFunc(maps.Keys(lines), byName) {
			if pod.Generation == generations[i] {
				p.Series = append(p.Series, *lines[pod])
			}
		}
	}
	return p
}

func byName(a, b Pod) int { return cmp.Compare(a.Name, b.Name) }

func classOf(generation int) string {
	return []string{"floor", "relay", "generator"}[generation%3]
}

func nameOf(generation int) string {
	switch generation {
	case 0:
		return "before"
	case 1:
		return "first rollout"
	case 2:
		return "second rollout"
	}
	return "later"
}
