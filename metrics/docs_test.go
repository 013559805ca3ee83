package metrics_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
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
	m.RegisterProcess(aProcess())
	m.RegisterCanaryAge(func() time.Duration { return 0 })
	m.RegisterClock(func() (time.Duration, bool) { return 0, true })
	seen := scrapeOf(t, m).families
	page := readPage(t)
	explained := make(map[string]bool)

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
			if label == "version" {
				continue // open by nature, and one at a time
			}
			for _, value := range values {
				explained[value] = true
				if !page.explains(label, value) {
					t.Errorf("%s: docs/metrics.md does not explain %s %q", name, label, value)
				}
			}
		}
	}
	for label, values := range page.values {
		for _, value := range values {
			if !explained[value] {
				t.Errorf("docs/metrics.md explains %s %q, which no metric has", label, value)
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
	rows map[string]row
	// values of labels by the label, as the tables say; those of code stand in
	// docs/errors.md.
	values map[string][]string
	errors string
}

func (p page) explains(label, value string) bool {
	if label == "code" {
		return strings.Contains(p.errors, "`"+value+"`")
	}
	return slices.Contains(p.values[label], value)
}

type row struct {
	kind   string
	help   string
	labels []string // sorted
}

// readPage reads the rows that describe a metric, by their five columns.
func readPage(t *testing.T) page {
	t.Helper()
	p := page{rows: make(map[string]row), values: make(map[string][]string), errors: readDoc(t, "errors.md")}
	label := ""
	for line := range strings.Lines(readDoc(t, "metrics.md")) {
		if named := tableOf.FindStringSubmatch(strings.TrimSpace(line)); named != nil {
			label = named[1]
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if value := cellValue.FindStringSubmatch(cells[0]); value != nil && len(cells) < 5 && strings.HasPrefix(line, "|") {
			p.values[label] = append(p.values[label], value[1])
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

var (
	// tableOf is the line before a table of a label's values.
	tableOf   = regexp.MustCompile("^`(\\w+)` of .*:$")
	cellValue = regexp.MustCompile("^`(\\w+)`$")
)

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryReasonHasItsSeries holds the label values against the constants of
// package event: a new reason that nobody added here would hide in "other".
func TestEveryReasonHasItsSeries(t *testing.T) {
	families := scrapeOf(t, metrics.New()).families
	for _, c := range []struct{ prefix, metric, label string }{
		{"Reason", "relay_connections_closed_total", "reason"},
		{"Drop", "relay_events_dropped_total", "reason"},
		{"Reset", "relay_resets_total", "cause"},
		{"Reset", "relay_alignments_total", "outcome"},
		{"Reset", "relay_resumes_total", "outcome"},
		{"Resume", "relay_resumes_total", "outcome"},
		{"Publish", "relay_publish_seconds", "outcome"},
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
