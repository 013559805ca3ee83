package plot

import (
	"fmt"
	"html"
	"strings"
)

// Named is a plot with its title.
type Named struct {
	Title string
	Plot  Plot
}

// File draws plots as one SVG file, two beside each other, for a page that has
// no style sheet for them. Title and text tell those who cannot see it.
func File(title, text string, plots []Named) string {
	const gap, head = 16, 26
	cellWidth, cellHeight := Width+gap, height+head+gap
	columns := min(2, len(plots))
	rows := (len(plots) + 1) / 2
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img"><title>%s</title><desc>%s</desc><style>%s</style>`,
		columns*cellWidth, rows*cellHeight, html.EscapeString(title), html.EscapeString(text), style)
	b.WriteString(`<rect class="page" width="100%" height="100%"/>`)
	for i, p := range plots {
		x, y := i%2*cellWidth+gap/2, i/2*cellHeight
		fmt.Fprintf(&b, "\n"+`<text class="head" x="%d" y="%d">%s</text>`, x+left, y+head-6, html.EscapeString(p.Title))
		fmt.Fprintf(&b, `<svg x="%d" y="%d" width="%d" height="%d" viewBox="0 0 %d %d">`, x, y+head, Width, height, Width, height)
		p.Plot.draw(&b)
		b.WriteString("</svg>")
	}
	b.WriteString("\n</svg>\n")
	return b.String()
}

const style = `
.page{fill:#fff}text{font:12px system-ui,sans-serif;fill:#5b6570}text.name,text.head{fill:#1b1f24;font-size:13px}text.head{font-weight:600}
.grid{stroke:#dfe3e8;fill:none}.limit{stroke:#c2413a;stroke-dasharray:5 4;fill:none}.line{fill:none;stroke-width:2;stroke-linejoin:round}.thin{stroke-width:1.2}
.relay{stroke:#2563c9}.floor{stroke:#8b8f97}.generator{stroke:#b07d2b}.fill{stroke:none}.dot{stroke:#fff}
.fill.relay,.dot.relay{fill:#2563c9}.fill.floor,.dot.floor{fill:#8b8f97}.fill.generator,.dot.generator{fill:#b07d2b}.dot.hollow{fill:#fff}
`
