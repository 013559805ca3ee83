package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"relay/bench"
	"relay/bench/measure"
)

func example() *bench.Report {
	one := func(target string, number int, cpu float64) bench.Trial {
		return bench.Trial{
			Target: target, Number: number, Values: map[string]float64{"cpu": cpu},
			Timeline: []float64{1000, 1200, 0}, TimelineInterval: 0.1,
			Curve: []bench.Step{{Rate: 200, Deliveries: 2e5, P99: 3, Sustained: true}, {Rate: 400, Deliveries: 3e5, P99: 300, Why: "<slow>"}},
		}
	}
	return &bench.Report{
		Command: "relay bench <fanout>", Started: time.Unix(1795334400, 0).UTC(), Took: 61,
		Machine: bench.Machine{Cores: 2, CPU: "CPU & Co", Kernel: "Linux 6", Go: "go1", Memory: 8e9},
		Relay:   bench.RelayInfo{URL: "http://127.0.0.1:1", Bus: "unknown"},
		Quantities: []bench.Quantity{
			{Name: "cpu", Label: "CPU per delivery", Unit: "µs", Compared: true},
			{Name: "user_per_delivery", Label: "user", Unit: "µs"},
			{Name: "unused", Label: "never measured"},
		},
		Scenarios: []bench.Result{{
			Scenario: "fanout", Title: "1 client", Parameters: map[string]any{"clients": 1, "bound_ms": 100.0},
			Headline: []string{"cpu"}, Targets: []string{"relay", "floor"},
			Summary: map[string]map[string]measure.Spread{
				"relay": {"cpu": {Median: 12345, Min: 10, Max: 20000}, "user_per_delivery": {Median: 1}},
				"floor": {"cpu": {Median: 6}},
			},
			Ratios:  map[string]measure.Spread{"cpu": {Median: 2.004, Min: 1, Max: 3}},
			Latency: map[string][]bench.Percentile{"relay": {{Percent: 0, Millis: 0.1}, {Percent: 99, Millis: 7}, {Percent: 100, Millis: 9}}},
			Runs:    []bench.Trial{one("relay", 1, 10), one("floor", 1, 6), one("relay", 2, 20000), one("floor", 2, 7)},
			Notes:   []string{"A <note>."},
		}},
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := Text(&b, example()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 cores", "fanout: 1 client", "CPU per delivery", "12\u202f345", "10.0–20\u202f000", "2.00", "A <note>."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "never measured") {
		t.Error("the text has a row without values")
	}
}

func TestHTML(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, example()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		"relay bench &lt;fanout&gt;", "CPU &amp; Co", "A &lt;note&gt;.", "From POST to client", "Deliveries over time",
		"Latency against rate", "CPU per delivery", "Each run: CPU per delivery", "&lt;slow&gt;", `"schema":0`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, foreign := range []string{"http://", "https://", "src=", "@import", "<link"} {
		rest := strings.ReplaceAll(page, "http://127.0.0.1:1", "")
		if strings.Contains(rest, foreign) {
			t.Errorf("the page asks elsewhere: %s", foreign)
		}
	}
	wellFormed(t, page)
}

// wellFormed checks every drawing.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	drawings := 0
	for rest := page; ; drawings++ {
		_, after, ok := strings.Cut(rest, "<svg")
		if !ok {
			break
		}
		drawing, more, _ := strings.Cut(after, "</svg>")
		rest = more
		if strings.Contains(drawing, "NaN") || strings.Contains(drawing, "Inf") {
			t.Errorf("a drawing has no place for something: %s", drawing)
		}
		d := xml.NewDecoder(strings.NewReader("<svg" + drawing + "</svg>"))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, drawing)
			}
		}
	}
	if drawings < 5 {
		t.Errorf("%d drawings", drawings)
	}
}

func TestEmptyResultHasNoDrawings(t *testing.T) {
	r := &bench.Report{Scenarios: []bench.Result{{Scenario: "idle", Targets: []string{"relay"}}}}
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "<svg") {
		t.Error("something was drawn of nothing")
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0123: "0.012", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 1234: "1\u202f234", 1234567: "1\u202f234\u202f567", -1234: "-1\u202f234",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}
