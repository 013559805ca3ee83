package report

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"relay/bench/plot"
)

// bar is a row of a bar chart: parts that add up.
type bar struct {
	name, class, text string
	parts             []float64
}

const barRow = 34

// bars draws rows of stacked bars; the parts of a row become fainter.
func bars(rows []bar, largest float64) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img">`, plot.Width, len(rows)*barRow+6)
	const from, room = 110, plot.Width - 110 - 120
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
func strip(rows []stripRow, x plot.Axis) template.HTML {
	const from, to = 110, plot.Width - 24
	var b strings.Builder
	height := len(rows)*26 + 30
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img">`, plot.Width, height)
	place := func(v float64) float64 { return from + x.Share(v)*(to-from) }
	for _, t := range x.Ticks {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f 0V%d"/><text class="tick" x="%.1f" y="%d" text-anchor="middle">%s</text>`, place(t.At), height-22, place(t.At), height-6, t.Text)
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
