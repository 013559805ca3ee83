// Package report shows the results of a load test to people: as text for a
// terminal, and as one HTML file with plots.
package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"relay/bench"
)

// Text writes the results for a terminal.
func Text(w io.Writer, r *bench.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", machineLine(r))
	for i := range r.Scenarios {
		s := &r.Scenarios[i]
		fmt.Fprintf(&b, "\n%s: %s\n\n", s.Scenario, s.Title)
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(t, "\t\t%s\t\t", strings.Join(s.Targets, "\t\t"))
		if len(s.Ratios) > 0 {
			fmt.Fprintf(t, "%s ÷ %s\t", s.Targets[0], s.Targets[1])
		}
		fmt.Fprintln(t)
		for _, row := range rows(r, s) {
			fmt.Fprintf(t, "%s\t%s\t", row.Label, row.Unit)
			for _, c := range row.Cells {
				fmt.Fprintf(t, "%s\t%s\t", c.Median, c.Range)
			}
			if len(s.Ratios) > 0 {
				fmt.Fprintf(t, "%s\t", row.Ratio.Median)
			}
			fmt.Fprintln(t)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		for _, note := range s.Notes {
			fmt.Fprintf(&b, "\n%s", note)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func machineLine(r *bench.Report) string {
	return fmt.Sprintf("%d cores, %s, %s, %s; bus: %s", r.Machine.Cores, r.Machine.CPU, r.Machine.Kernel, r.Machine.Go, r.Relay.Bus)
}

// row is one quantity in a table.
type row struct {
	Name, Label, Unit string
	Headline          bool
	Cells             []cell
	Ratio             cell
}

// cell is a value as text; its fields are empty if there is none.
type cell struct{ Median, Range string }

// rows are the quantities that a result has, in the report's order.
func rows(r *bench.Report, s *bench.Result) []row {
	var all []row
	for _, q := range r.Quantities {
		line := row{Name: q.Name, Label: q.Label, Unit: q.Unit}
		for _, name := range s.Headline {
			line.Headline = line.Headline || name == q.Name
		}
		found := false
		for _, target := range s.Targets {
			spread, ok := s.Summary[target][q.Name]
			if !ok {
				line.Cells = append(line.Cells, cell{})
				continue
			}
			found = true
			c := cell{Median: number(spread.Median)}
			if len(s.Runs) > len(s.Targets) {
				c.Range = number(spread.Min) + "–" + number(spread.Max)
			}
			line.Cells = append(line.Cells, c)
		}
		if ratio, ok := s.Ratios[q.Name]; ok {
			line.Ratio.Median = fmt.Sprintf("%.2f", ratio.Median)
			if len(s.Runs) > len(s.Targets) {
				line.Ratio.Range = fmt.Sprintf("%.2f–%.2f", ratio.Min, ratio.Max)
			}
		}
		if found {
			all = append(all, line)
		}
	}
	return all
}

// number writes three digits that count, and groups the thousands.
func number(v float64) string {
	switch abs := math.Abs(v); {
	case abs == 0:
		return "0"
	case abs < 0.1:
		return fmt.Sprintf("%.3f", v)
	case abs < 10:
		return fmt.Sprintf("%.2f", v)
	case abs < 100:
		return fmt.Sprintf("%.1f", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString("\u202f") // a narrow space that does not break
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}
