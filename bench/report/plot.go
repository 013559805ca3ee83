package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// The size of a plot, and of its margins, in the units of its viewBox.
const (
	plotWidth, plotHeight       = 560, 270
	left, right, top, plotBelow = 62, 30, 14, 42
)

// axis maps values to a line.
type axis struct {
	label    string
	min, max float64
	log      bool
	ticks    []tick
}

type tick struct {
	at   float64
	text string
}

// share is where a value stands, from 0 to 1.
func (a *axis) share(v float64) float64 {
	low, high := a.min, a.max
	if a.log {
		v, low, high = math.Log10(max(v, a.min)), math.Log10(low), math.Log10(high)
	}
	if high <= low {
		return 0
	}
	return (v - low) / (high - low)
}

// linear makes an axis from 0 to a little more than the largest value.
func linear(label string, largest float64) axis {
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
	a := axis{label: label, max: math.Ceil(largest/step*1.001) * step}
	for v := 0.0; v <= a.max*1.0001; v += step {
		a.ticks = append(a.ticks, tick{v, short(v)})
	}
	return a
}

// logarithmic makes an axis over whole powers of ten.
func logarithmic(label string, smallest, largest float64) axis {
	low := math.Floor(math.Log10(max(smallest, 1e-3)))
	high := max(math.Ceil(math.Log10(max(largest, 1e-3))), low+1)
	a := axis{label: label, log: true, min: math.Pow(10, low), max: math.Pow(10, high)}
	for e := low; e <= high; e++ {
		a.ticks = append(a.ticks, tick{math.Pow(10, e), short(math.Pow(10, e))})
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

// series is a line or a set of dots.
type series struct {
	class  string // of the style sheet: relay or floor
	name   string // written at its end; empty: nothing is
	points []point
	dots   bool
	line   bool
}

type point struct {
	x, y   float64
	hollow bool
	title  string
}

// plot is a diagram with two axes.
type plot struct {
	x, y   axis
	series []series
	// limit is a value of y to be marked; 0: none.
	limit     float64
	limitText string
}

func (p *plot) place(x, y float64) (float64, float64) {
	return left + p.x.share(x)*(plotWidth-left-right), top + (1-p.y.share(y))*(plotHeight-top-plotBelow)
}

// svg draws the plot. Texts that come from elsewhere are escaped.
func (p *plot) svg() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img">`, plotWidth, plotHeight)
	p.drawAxes(&b)
	if p.limit > 0 && p.limit <= p.y.max {
		x0, y := p.place(p.x.min, p.limit)
		x1, _ := p.place(p.x.max, p.limit)
		fmt.Fprintf(&b, `<path class="limit" d="M%.1f %.1fH%.1f"/><text class="tick" x="%.1f" y="%.1f">%s</text>`, x0, y, x1, x0+6, y-5, html.EscapeString(p.limitText))
	}
	for _, s := range p.series {
		p.drawSeries(&b, s)
	}
	p.drawNames(&b)
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (p *plot) drawAxes(b *strings.Builder) {
	bottom := float64(plotHeight - plotBelow)
	for _, t := range p.y.ticks {
		_, y := p.place(p.x.min, t.at)
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/><text class="tick" x="%d" y="%.1f" text-anchor="end">%s</text>`, left, y, plotWidth-right, left-7, y+4, t.text)
	}
	for _, t := range p.x.ticks {
		x, _ := p.place(t.at, p.y.min)
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fv5"/><text class="tick" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, bottom, x, bottom+18, t.text)
	}
	fmt.Fprintf(b, `<text class="axis" x="%d" y="%d" text-anchor="middle">%s</text>`, (left+plotWidth-right)/2, plotHeight-5, html.EscapeString(p.x.label))
	fmt.Fprintf(b, `<text class="axis" transform="translate(13 %d) rotate(-90)" text-anchor="middle">%s</text>`, (plotHeight-plotBelow+top)/2, html.EscapeString(p.y.label))
}

func (p *plot) drawSeries(b *strings.Builder, s series) {
	if s.line && len(s.points) > 0 {
		fmt.Fprintf(b, `<path class="line %s" d="`, s.class)
		for i, at := range s.points {
			x, y := p.place(at.x, at.y)
			fmt.Fprintf(b, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
		}
		b.WriteString(`"/>`)
	}
	if !s.dots {
		return
	}
	for _, at := range s.points {
		x, y := p.place(at.x, at.y)
		class := "dot " + s.class
		if at.hollow {
			class += " hollow"
		}
		fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="4"><title>%s</title></circle>`, class, x, y, html.EscapeString(at.title))
	}
}

// drawNames writes what is what into the upper left corner, once for each name.
func (p *plot) drawNames(b *strings.Builder) {
	x := left + 10
	seen := make(map[string]bool)
	for _, s := range p.series {
		if s.name == "" || seen[s.name] {
			continue
		}
		seen[s.name] = true
		fmt.Fprintf(b, `<rect class="fill %s" x="%d" y="%d" width="10" height="10" rx="2"/><text class="name" x="%d" y="%d">%s</text>`,
			s.class, x, top, x+15, top+9, html.EscapeString(s.name))
		x += 32 + 7*len([]rune(s.name))
	}
}

// bar is a row of a bar chart: parts that add up.
type bar struct {
	name, class, text string
	parts             []float64
}

const barRow = 34

// bars draws rows of stacked bars; the parts of a row become fainter.
func bars(rows []bar, largest float64) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img">`, plotWidth, len(rows)*barRow+6)
	const from, room = 110, plotWidth - 110 - 120
	for i, row := range rows {
		y := i*barRow + 6
		fmt.Fprintf(&b, `<text class="name" x="%d" y="%d" text-anchor="end">%s</text>`, from-8, y+16, html.EscapeString(row.name))
		x := float64(from)
		for j, part := range row.parts {
			width := part / max(largest, 1e-9) * room
			fmt.Fprintf(&b, `<rect class="fill %s part%d" x="%.1f" y="%d" width="%.1f" height="22" rx="2"/>`, row.class, j, x, y, max(width-1, 0.5))
			x += width
		}
		fmt.Fprintf(&b, `<text class="name" x="%.1f" y="%d">%s</text>`, x+8, y+16, html.EscapeString(row.text))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// strip draws the values of single runs, one row for each target, from zero
// on, with a mark at the median.
func strip(rows []stripRow, x axis) template.HTML {
	const from, to = 110, plotWidth - 24
	var b strings.Builder
	height := len(rows)*26 + 30
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img">`, plotWidth, height)
	place := func(v float64) float64 { return from + x.share(v)*(to-from) }
	for _, t := range x.ticks {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f 0V%d"/><text class="tick" x="%.1f" y="%d" text-anchor="middle">%s</text>`, place(t.at), height-22, place(t.at), height-6, t.text)
	}
	for i, row := range rows {
		y := i*26 + 14
		fmt.Fprintf(&b, `<text class="name" x="%d" y="%d" text-anchor="end">%s</text>`, from-8, y+4, html.EscapeString(row.name))
		for _, v := range row.values {
			fmt.Fprintf(&b, `<circle class="dot %s" cx="%.1f" cy="%d" r="4.5"><title>%s</title></circle>`, row.class, place(v), y, number(v))
		}
		fmt.Fprintf(&b, `<path class="median" d="M%.1f %dv18"/>`, place(row.median), y-9)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

type stripRow struct {
	name, class string
	values      []float64
	median      float64
}
