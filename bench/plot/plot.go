// Package plot draws diagrams with two axes as SVG.
package plot

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// Width is that of a plot, in the units of its viewBox.
const Width = 560

const (
	height                  = 270
	left, right, top, below = 62, 30, 14, 42 // margins
)

// Axis maps values to a line.
type Axis struct {
	Label    string
	Min, Max float64
	Log      bool
	Ticks    []Tick
}

// Tick is a mark on an axis.
type Tick struct {
	At   float64
	Text string
}

// Share is where a value stands, from 0 to 1.
func (a *Axis) Share(v float64) float64 {
	low, high := a.Min, a.Max
	if a.Log {
		v, low, high = math.Log10(max(v, a.Min)), math.Log10(low), math.Log10(high)
	}
	if high <= low {
		return 0
	}
	return (v - low) / (high - low)
}

// Linear makes an axis from 0 to a little more than the largest value.
func Linear(label string, largest float64) Axis {
	if largest <= 0 {
		largest = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(largest)))
	for _, part := range []float64{0.2, 0.5, 1} {
		if largest/(step*part) <= 6 {
			step *= part
			break
		}
	}
	a := Axis{Label: label, Max: math.Ceil(largest/step*1.001) * step}
	for v := 0.0; v <= a.Max*1.0001; v += step {
		a.Ticks = append(a.Ticks, Tick{v, short(v)})
	}
	return a
}

// Logarithmic makes an axis over whole powers of ten.
func Logarithmic(label string, smallest, largest float64) Axis {
	low := math.Floor(math.Log10(max(smallest, 1e-3)))
	high := max(math.Ceil(math.Log10(max(largest, 1e-3))), low+1)
	a := Axis{Label: label, Log: true, Min: math.Pow(10, low), Max: math.Pow(10, high)}
	for e := low; e <= high; e++ {
		a.Ticks = append(a.Ticks, Tick{math.Pow(10, e), short(math.Pow(10, e))})
	}
	return a
}

// short writes a number for an axis.
func short(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.size {
			return fmt.Sprintf("%.3g", v/unit.size) + unit.name
		}
	}
	return fmt.Sprintf("%.3g", v)
}

// Series is a line or a set of dots.
type Series struct {
	Class  string // of the style sheet: relay, floor or generator
	Name   string // written above the plot; empty: nothing is
	Points []Point
	Dots   bool
	Line   bool
}

// Point is one value of a series.
type Point struct {
	X, Y   float64
	Hollow bool
	Title  string // shown when it is pointed at
}

// Plot is a diagram with two axes.
type Plot struct {
	X, Y   Axis
	Series []Series
	// Limit is a value of y to be marked; 0: none.
	Limit     float64
	LimitText string
}

func (p *Plot) place(x, y float64) (float64, float64) {
	return left + p.X.Share(x)*(Width-left-right), top + (1-p.Y.Share(y))*(height-top-below)
}

// SVG draws the plot for a page with a style sheet of its own. Texts that come
// from elsewhere are escaped.
func (p *Plot) SVG() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img">`, Width, height)
	p.draw(&b)
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (p *Plot) draw(b *strings.Builder) {
	p.drawAxes(b)
	if p.Limit > 0 && p.Limit <= p.Y.Max {
		x0, y := p.place(p.X.Min, p.Limit)
		x1, _ := p.place(p.X.Max, p.Limit)
		fmt.Fprintf(b, `<path class="limit" d="M%.1f %.1fH%.1f"/><text class="tick" x="%.1f" y="%.1f">%s</text>`, x0, y, x1, x0+6, y-5, html.EscapeString(p.LimitText))
	}
	for _, s := range p.Series {
		p.drawSeries(b, s)
	}
	p.drawNames(b)
}

func (p *Plot) drawAxes(b *strings.Builder) {
	bottom := float64(height - below)
	for _, t := range p.Y.Ticks {
		_, y := p.place(p.X.Min, t.At)
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/><text class="tick" x="%d" y="%.1f" text-anchor="end">%s</text>`, left, y, Width-right, left-7, y+4, t.Text)
	}
	for _, t := range p.X.Ticks {
		x, _ := p.place(t.At, p.Y.Min)
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fv5"/><text class="tick" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, bottom, x, bottom+18, t.Text)
	}
	fmt.Fprintf(b, `<text class="axis" x="%d" y="%d" text-anchor="middle">%s</text>`, (left+Width-right)/2, height-5, html.EscapeString(p.X.Label))
	fmt.Fprintf(b, `<text class="axis" transform="translate(13 %d) rotate(-90)" text-anchor="middle">%s</text>`, (height-below+top)/2, html.EscapeString(p.Y.Label))
}

func (p *Plot) drawSeries(b *strings.Builder, s Series) {
	if s.Line && len(s.Points) > 0 {
		fmt.Fprintf(b, `<path class="line %s" d="`, s.Class)
		for i, at := range s.Points {
			x, y := p.place(at.X, at.Y)
			fmt.Fprintf(b, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
		}
		b.WriteString(`"/>`)
	}
	if !s.Dots {
		return
	}
	for _, at := range s.Points {
		x, y := p.place(at.X, at.Y)
		class := "dot " + s.Class
		if at.Hollow {
			class += " hollow"
		}
		fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="4"><title>%s</title></circle>`, class, x, y, html.EscapeString(at.Title))
	}
}

// drawNames writes what is what into the upper left corner, once for each name.
func (p *Plot) drawNames(b *strings.Builder) {
	x := left + 10
	seen := make(map[string]bool)
	for _, s := range p.Series {
		if s.Name == "" || seen[s.Name] {
			continue
		}
		seen[s.Name] = true
		fmt.Fprintf(b, `<rect class="fill %s" x="%d" y="%d" width="10" height="10" rx="2"/><text class="name" x="%d" y="%d">%s</text>`,
			s.Class, x, top, x+15, top+9, html.EscapeString(s.Name))
		x += 32 + 7*len([]rune(s.Name))
	}
}
