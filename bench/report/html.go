package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"relay/bench"
	"relay/bench/plot"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// HTML writes the results as one page that needs nothing from elsewhere: plots
// are drawn here, and the results as JSON are in it too.
func HTML(w io.Writer, r *bench.Report) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	view := pageView{
		Command: r.Command, Started: r.Started.Format("2 January 2006, 15:04 MST"),
		Took:  time.Duration(r.Took * float64(time.Second)).Round(time.Second).String(),
		Facts: facts(r), JSON: template.JS(data),
	}
	for i := range r.Scenarios {
		view.Sections = append(view.Sections, newSection(r, &r.Scenarios[i]))
	}
	return page.Execute(w, view)
}

type pageView struct {
	Command, Started, Took string
	Facts                  []fact
	Sections               []section
	JSON                   template.JS
}

type fact struct{ Name, Value string }

func facts(r *bench.Report) []fact {
	all := []fact{
		{"Machine", fmt.Sprintf("%d cores, %s", r.Machine.Cores, r.Machine.CPU)},
		{"System", r.Machine.Kernel},
	}
	if r.Machine.Memory > 0 {
		all = append(all, fact{"Memory", fmt.Sprintf("%.1f GB", float64(r.Machine.Memory)/1e9)})
	}
	if r.Relay.StartedHere {
		all = append(all, fact{"Relay", "started for the test, version " + r.Relay.Version + ", " + r.Machine.Go})
	} else {
		all = append(all, fact{"Relay", "ran already at " + r.Relay.URL})
	}
	return append(all, fact{"Bus", r.Relay.Bus})
}

// section is one result.
type section struct {
	Name, Title string
	Cards       []card
	Figures     []figure
	Targets     []string
	Compared    string // heading of the ratios; empty: there are none
	Rows        []row
	Notes       []string
	Parameters  string
}

// card is a number that the section is about.
type card struct{ Label, Value, Unit, Than string }

type figure struct {
	Title, Text string
	Drawing     template.HTML
}

func newSection(r *bench.Report, s *bench.Result) section {
	v := section{Name: s.Scenario, Title: s.Title, Targets: s.Targets, Rows: rows(r, s), Notes: s.Notes, Parameters: parameters(s)}
	if len(s.Ratios) > 0 {
		v.Compared = s.Targets[0] + " ÷ " + s.Targets[1]
	}
	for _, name := range s.Headline {
		for _, row := range v.Rows {
			if row.Name == name {
				v.Cards = append(v.Cards, newCard(s, row))
			}
		}
	}
	for _, f := range []figure{latencyFigure(s), searchFigure(s), timelineFigure(s), cpuFigure(s)} {
		if f.Drawing != "" {
			v.Figures = append(v.Figures, f)
		}
	}
	v.Figures = append(v.Figures, stripFigures(s, v.Rows)...)
	return v
}

func newCard(s *bench.Result, r row) card {
	c := card{Label: r.Label, Unit: r.Unit, Value: r.Cells[0].Median}
	if r.Ratio.Median != "" {
		c.Than = fmt.Sprintf("%s × the %s", r.Ratio.Median, s.Targets[1])
		if r.Ratio.Range != "" {
			c.Than += " (" + r.Ratio.Range + ")"
		}
	}
	return c
}

func parameters(s *bench.Result) string {
	var parts []string
	for name, v := range s.Parameters {
		parts = append(parts, fmt.Sprintf("%s %v", strings.TrimSuffix(name, "_s"), v))
	}
	slices.Sort(parts)
	return strings.Join(parts, " · ")
}

// class is a target's colour.
func class(s *bench.Result, target string) string {
	if target == s.Targets[0] {
		return "relay"
	}
	return "floor"
}

// latencyFigure has the percentiles, with the tail drawn wide.
func latencyFigure(s *bench.Result) figure {
	p := plot.Plot{X: plot.Axis{Label: "share of deliveries that were at least as fast", Max: 4}}
	for _, percent := range []float64{0, 50, 90, 99, 99.9, 99.99} {
		p.X.Ticks = append(p.X.Ticks, plot.Tick{At: tail(percent), Text: fmt.Sprintf("%g %%", percent)})
	}
	low, high := math.Inf(1), 0.0
	for _, target := range s.Targets {
		line := plot.Series{Class: class(s, target), Name: target, Line: true}
		for _, at := range s.Latency[target] {
			if at.Percent > 99.99 {
				continue
			}
			line.Points = append(line.Points, plot.Point{X: tail(at.Percent), Y: at.Millis})
			low, high = min(low, at.Millis), max(high, at.Millis)
		}
		if len(line.Points) > 0 {
			p.Series = append(p.Series, line)
		}
	}
	if len(p.Series) == 0 {
		return figure{}
	}
	p.Y = plot.Logarithmic("ms", low, high)
	return figure{Title: "From POST to client", Text: "All runs together; from just before the POST is written until the client has read the event.", Drawing: p.SVG()}
}

// tail stretches percentiles so that 90, 99 and 99.9 are as far from each other.
func tail(percent float64) float64 { return -math.Log10(1 - percent/100) }

// timelineFigure has what arrived while it went on.
func timelineFigure(s *bench.Result) figure {
	p := plot.Plot{}
	longest, most := 0.0, 0.0
	for _, run := range s.Runs {
		line := plot.Series{Class: class(s, run.Target) + " thin", Name: run.Target, Line: true}
		for i, v := range run.Timeline {
			at := float64(i+1) * run.TimelineInterval
			line.Points = append(line.Points, plot.Point{X: at, Y: v})
			longest, most = max(longest, at), max(most, v)
		}
		if len(line.Points) > 1 {
			p.Series = append(p.Series, line)
		}
	}
	if len(p.Series) == 0 {
		return figure{}
	}
	p.X, p.Y = plot.Linear("seconds", longest), plot.Linear("deliveries a second", most*1.1)
	p.X.Max = longest
	p.X.Ticks = slices.DeleteFunc(p.X.Ticks, func(t plot.Tick) bool { return t.At > longest })
	return figure{Title: "Deliveries over time", Text: "A line for each run.", Drawing: p.SVG()}
}

// searchFigure has the rates that were tried.
func searchFigure(s *bench.Result) figure {
	p := plot.Plot{}
	most, low, high := 0.0, math.Inf(1), 0.0
	for _, run := range s.Runs {
		dots := plot.Series{Class: class(s, run.Target), Name: run.Target, Dots: true}
		for _, step := range run.Curve {
			title := fmt.Sprintf("%s events/s: 99 %% within %.3g ms", number(step.Rate), step.P99)
			if step.Why != "" {
				title += "; not sustained: " + step.Why
			}
			dots.Points = append(dots.Points, plot.Point{X: step.Deliveries, Y: step.P99, Hollow: !step.Sustained, Title: title})
			most, low, high = max(most, step.Deliveries), min(low, step.P99), max(high, step.P99)
		}
		if len(dots.Points) > 0 {
			p.Series = append(p.Series, dots)
		}
	}
	if len(p.Series) == 0 {
		return figure{}
	}
	p.X, p.Y = plot.Linear("deliveries a second", most), plot.Logarithmic("ms, 99 % of deliveries", low, high)
	if bound, ok := s.Parameters["bound_ms"].(float64); ok {
		p.Limit, p.LimitText = bound, "the bound"
	}
	return figure{Title: "Latency against rate", Text: "Every rate that was tried; Hollow: it was not sustained.", Drawing: p.SVG()}
}

// cpuFigure splits CPU per delivery into program and kernel.
func cpuFigure(s *bench.Result) figure {
	var rows []bar
	largest := 0.0
	for _, target := range s.Targets {
		of := s.Summary[target]
		user, ok := of["user_per_delivery"]
		if !ok {
			continue
		}
		system := of["system_per_delivery"]
		rows = append(rows, bar{
			name: target, class: class(s, target), parts: []float64{user.Median, system.Median},
			text: number(user.Median) + " + " + number(system.Median) + " µs",
		})
		largest = max(largest, user.Median+system.Median)
	}
	if of, ok := s.Summary[s.Targets[0]]["generator_cpu_per_delivery"]; ok && len(rows) > 0 {
		rows = append(rows, bar{name: "load tester", class: "generator", parts: []float64{of.Median}, text: number(of.Median) + " µs"})
		largest = max(largest, of.Median)
	}
	if len(rows) == 0 {
		return figure{}
	}
	return figure{Title: "CPU per delivery", Text: "In the program (full colour) and in the kernel (faint), medians.", Drawing: bars(rows, largest)}
}

// stripFigures show how far the runs agree.
func stripFigures(s *bench.Result, table []row) []figure {
	var figures []figure
	for _, r := range table {
		if !r.Headline {
			continue
		}
		var rows []stripRow
		largest := 0.0
		for _, target := range s.Targets {
			line := stripRow{name: target, class: class(s, target), median: s.Summary[target][r.Name].Median}
			for _, run := range s.Runs {
				if v, ok := run.Values[r.Name]; ok && run.Target == target {
					line.values = append(line.values, v)
					largest = max(largest, v)
				}
			}
			if len(line.values) > 1 {
				rows = append(rows, line)
			}
		}
		if len(rows) > 0 {
			figures = append(figures, figure{Title: "Each run: " + r.Label, Text: r.Unit, Drawing: strip(rows, plot.Linear("", largest))})
		}
	}
	return figures
}
