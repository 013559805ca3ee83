package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const (
	rulesFile = "../../charts/relay/files/alerts.yaml"
	testsFile = "rules.yaml"
	pageFile  = "../../docs/alerts.md"
)

type rule struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func readRules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	readYAML(t, rulesFile, &file)
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 10 {
		t.Fatalf("only %d rules in %s", len(all), rulesFile)
	}
	return all
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readFile(t, name)), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// promtool runs a check of Prometheus's own.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	// The linter of metrics says what it dislikes and may exit with 0.
	if err != nil || len(out) > 0 && args[1] == "metrics" {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRules(t *testing.T) {
	promtool(t, "", "check", "rules", "--lint-fatal", rulesFile)
	promtool(t, "", "test", "rules", testsFile)
}

func TestNamesOfMetrics(t *testing.T) {
	promtool(t, read(t, startRelay(t)).text, "check", "metrics")
}

// Each alert is seen to fire, and seen not to.
func TestEachRuleIsTested(t *testing.T) {
	var file struct {
		Tests []struct {
			Cases []struct {
				Alert  string `yaml:"alertname"`
				Alerts []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, testsFile, &file)
	fires, silent := make(map[string]bool), make(map[string]bool)
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			if len(c.Alerts) > 0 {
				fires[c.Alert] = true
			} else {
				silent[c.Alert] = true
			}
		}
	}
	for _, r := range readRules(t) {
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s lacks a case where it fires (has one: %t) or one where it does not (has one: %t)", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}

var (
	metricName = regexp.MustCompile(`\b(?:relay|process)_\w+\b`)
	selector   = regexp.MustCompile(`\b(\w+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([^"]*)"`)
)

// A rule about something that does not exist never fires, and nobody notices.
func TestRulesAreAboutWhatExists(t *testing.T) {
	s := read(t, startRelay(t))
	for _, r := range readRules(t) {
		names := metricName.FindAllString(r.Expr, -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric", r.Alert)
		}
		for _, name := range names {
			if !s.has(name) {
				t.Errorf("%s is about %s, which a relay does not have", r.Alert, name)
			}
		}
		for _, found := range selector.FindAllStringSubmatch(r.Expr, -1) {
			for _, pair := range matcher.FindAllStringSubmatch(found[2], -1) {
				for value := range strings.SplitSeq(pair[2], "|") {
					if !s.hasValue(found[1], pair[1], value) {
						t.Errorf("%s is about %s with %s=%q, which a relay does not have", r.Alert, found[1], pair[1], value)
					}
				}
			}
		}
	}
}

// Whoever is woken by an alert finds what it means and what to do.
func TestEachRuleHasItsParagraph(t *testing.T) {
	sections := make(map[string]string)
	var order []string
	for _, section := range strings.Split(readFile(t, pageFile), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = text
		order = append(order, title)
	}
	var names []string
	for _, r := range readRules(t) {
		names = append(names, r.Alert)
		for _, part := range []string{"**What it means.** ", "**What users see.** ", "**Look at first.** ", "**What to do.** "} {
			if !strings.Contains(sections[r.Alert], part) {
				t.Errorf("docs/alerts.md, %s: no paragraph %q", r.Alert, part)
			}
		}
		if !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || !strings.Contains(r.Annotations["description"], "{{ $labels.instance }}") {
			t.Errorf("%s has no summary, or does not say which relay: %v", r.Alert, r.Annotations)
		}
		if want := filepath.ToSlash(strings.TrimPrefix(pageFile, "../../")) + "#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
			t.Errorf("%s has the runbook %q, want %q", r.Alert, r.Annotations["runbook"], want)
		}
	}
	if !slices.Equal(order, names) {
		t.Errorf("docs/alerts.md has the sections\n\t%q, the rules are\n\t%q", order, names)
	}
}
