package metrics_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"relay/metrics"
)

// TestPageAgrees compares docs/metrics.md with what a scrape shows: an
// operator who writes an alert by the page must find what it says.
func TestPageAgrees(t *testing.T) {
	m := metrics.New()
	m.RegisterHealth(func() error { return nil })
	m.RegisterCanaryAge(func() time.Duration { return 0 })
	m.RegisterVersion("v1")
	seen := scrapeOf(t, m).families
	page := readPage(t)

	for name, f := range seen {
		row, ok := page.rows[name]
		if !ok {
			t.Errorf("%s is not in docs/metrics.md", name)
			continue
		}
		if row.kind != f.kind {
			t.Errorf("%s is a %s; docs/metrics.md says %q", name, f.kind, row.kind)
		}
		if row.help != f.help {
			t.Errorf("%s: docs/metrics.md means\n\t%q, its help is\n\t%q", name, row.help, f.help)
		}
		if labels := slices.Sorted(maps.Keys(f.labels)); !slices.Equal(labels, row.labels) {
			t.Errorf("%s has the labels %q; docs/metrics.md says %q", name, labels, row.labels)
		}
		for label, values := range f.labels {
			if label == "version" || label == "code" {
				continue // open by nature; listed with the other errors
			}
			for _, value := range values {
				if !strings.Contains(page.text, "`"+value+"`") {
					t.Errorf("%s: docs/metrics.md does not explain %s %q", name, label, value)
				}
			}
		}
	}
	for name := range page.rows {
		if _, ok := seen[name]; !ok {
			t.Errorf("docs/metrics.md describes %s, which does not exist", name)
		}
	}
}

type page struct {
	text string
	rows map[string]row
}

type row struct {
	kind   string
	help   string
	labels []string // sorted
}

// readPage reads the rows that describe a metric, by their five columns.
func readPage(t *testing.T) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := page{text: string(text), rows: make(map[string]row)}
	for line := range strings.Lines(p.text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		name, isMetric := strings.CutPrefix(cells[0], "`relay_")
		if !isMetric || len(cells) != 5 {
			continue
		}
		if cells[4] == "" {
			t.Errorf("docs/metrics.md does not say what to do with %s", cells[0])
		}
		var labels []string
		for label := range strings.SplitSeq(cells[2], ",") {
			if label = strings.Trim(label, " `"); label != "" {
				labels = append(labels, label)
			}
		}
		slices.Sort(labels)
		p.rows["relay_"+strings.TrimSuffix(name, "`")] = row{cells[1], cells[3], labels}
	}
	return p
}

// TestEveryReasonHasItsSeries holds the label values against the constants of
// package event: a new reason that nobody added here would hide in "other".
func TestEveryReasonHasItsSeries(t *testing.T) {
	families := scrapeOf(t, metrics.New()).families
	for _, c := range []struct{ prefix, metric, label string }{
		{"Reason", "relay_connections_closed_total", "reason"},
		{"Drop", "relay_dropped_total", "reason"},
		{"Reset", "relay_resumes_total", "outcome"},
		{"Code", "relay_api_refused_total", "code"},
	} {
		values := eventConstants(t, c.prefix)
		if len(values) < 3 {
			t.Fatalf("found only %q of package event's constants %s…; have they moved?", values, c.prefix)
		}
		for _, value := range values {
			if !slices.Contains(families[c.metric].labels[c.label], value) {
				t.Errorf("%s has no series with %s=%q; add it to labels.go", c.metric, c.label, value)
			}
		}
	}
}

// eventConstants returns the values of package event's string constants whose
// names begin with prefix.
func eventConstants(t *testing.T, prefix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "event", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) == 0 {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
			return true
		})
	}
	return values
}
