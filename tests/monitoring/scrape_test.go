package monitoring

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"relay/tests/relaytest"
)

// scrape is what a relay answers to GET /metrics.
type scrape struct {
	text string
	// kinds of metrics by name.
	kinds map[string]string
	// labels has the values of each label by name and label, "name label".
	labels map[string][]string
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`)
	sampleLine = regexp.MustCompile(`(?m)^(\w+)\{(.*)\} `)
	labelPair  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

func read(t *testing.T, r *relaytest.Relay) scrape {
	t.Helper()
	answer := relaytest.Do(t, "GET", r.OpsURL+"/metrics", "")
	if answer.Status != 200 {
		t.Fatalf("GET /metrics: %d %s", answer.Status, answer.Body)
	}
	s := scrape{answer.Body, make(map[string]string), make(map[string][]string)}
	for _, found := range typeLine.FindAllStringSubmatch(s.text, -1) {
		s.kinds[found[1]] = found[2]
	}
	for _, found := range sampleLine.FindAllStringSubmatch(s.text, -1) {
		for _, pair := range labelPair.FindAllStringSubmatch(found[2], -1) {
			key := found[1] + " " + pair[1]
			s.labels[key] = append(s.labels[key], pair[2])
		}
	}
	return s
}

// value is that of a series without labels.
func (s scrape) value(name string) string {
	for line := range strings.Lines(s.text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// has reports whether there is a metric, or a part of a histogram.
func (s scrape) has(name string) bool {
	if base, ok := strings.CutSuffix(name, "_bucket"); ok {
		return s.kinds[base] == "histogram"
	}
	return s.kinds[name] != ""
}

func (s scrape) hasValue(name, label, value string) bool {
	return slices.Contains(s.labels[name+" "+label], value)
}
