package plot_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"relay/bench/plot"
)

func TestAxes(t *testing.T) {
	for _, largest := range []float64{0, 0.03, 1, 7, 99, 12345} {
		a := plot.Linear("", largest)
		if a.Max < largest || len(a.Ticks) < 2 || len(a.Ticks) > 12 {
			t.Errorf("%v: to %v in %d steps", largest, a.Max, len(a.Ticks))
		}
	}
	a := plot.Logarithmic("", 0.05, 30)
	if a.Min != 0.01 || a.Max != 100 || a.Share(1) != 0.5 {
		t.Errorf("from %v to %v, 1 at %v", a.Min, a.Max, a.Share(1))
	}
}

func TestFile(t *testing.T) {
	one := plot.Plot{X: plot.Linear("clients", 10), Y: plot.Linear("µs", 3), Series: []plot.Series{
		{Class: "relay", Name: "a < b", Line: true, Dots: true, Points: []plot.Point{{X: 1, Y: 2, Title: "1 & 2"}, {X: 10, Y: 3}}},
	}}
	text := plot.File("two plots", "what they show", []plot.Named{{Title: "one", Plot: one}, {Title: "two", Plot: one}})
	if n := strings.Count(text, "<circle"); n != 4 {
		t.Errorf("%d dots, want 4", n)
	}
	for _, want := range []string{"<title>two plots</title>", "a &lt; b", "1 &amp; 2", ">two</text>"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
