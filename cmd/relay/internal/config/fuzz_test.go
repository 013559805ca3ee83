package config_test

import (
	"strings"
	"testing"

	"relay/cmd/relay/internal/config"
)

// Whatever the file holds: no panic, only known keys, and each problem leads
// to the file.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", "open: true\n", "public_channels: [news, 'a.*']\nhistory_ttl: 1h", "- a", "a: {b: [c", "open: &a true\nprefix: *a",
		"public_channels: [*]", "x: |\n  y\n---\nz", "? open\n: true", "<<: {open: true}", "%YAML 1.2\n---\nopen: true", "prefix: !!str 3",
		"history_size: 1\nhistory_size: 2", "\ufeffopen: true", "\"\\x00\": 1", "open: true\n...\n# end",
		"channels:\n  - {match: a.*, history_size: 0}\n  - match: b\n    history_ttl: 1h\n", "channels: [{match: *, match: a}, [], {a: {b: c}}]", "channels: [null]\nchannels:",
	} {
		f.Add(seed)
	}
	known := make(map[string]bool)
	for _, s := range config.Settings() {
		known[s.Name] = true
	}
	f.Fuzz(func(t *testing.T, content string) {
		values, rules, problems := config.ParseFile("relay.yaml", []byte(content))
		for key := range values {
			if !known[key] {
				t.Errorf("unknown key %q got through", key)
			}
		}
		if rules > 0 && !strings.Contains(content, "match") {
			t.Errorf("%d rules that match nothing got through", rules)
		}
		for _, p := range problems {
			if !strings.HasPrefix(p.Where, "relay.yaml") || p.Text == "" {
				t.Errorf("problem %+v leads nowhere", p)
			}
		}
	})
}

// What quote writes, YAML reads back.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "relay:", "*", "a: b # c", "räume\t\"x\"\\", "\x7f\u0085\u2028😀", "- {[&!|>%@`"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ToValidUTF8(text, "") != text {
			return // refused before it is shown
		}
		values, _, problems := config.ParseFile("f", []byte("prefix: "+config.Quote(text)+"\n"))
		if len(problems) > 0 {
			t.Fatalf("%q: %v", text, problems)
		}
		if got := values["prefix"].Items()[0]; got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}

// Sizes and durations in force are printed in a form that reads back.
func FuzzNumbers(f *testing.F) {
	f.Add("64KiB", "10m")
	f.Add("1MiB", "1h0m1s")
	f.Add("70001", "0")
	f.Add("-1", "1.5h")
	f.Fuzz(func(t *testing.T, size, duration string) {
		read := func(string) ([]byte, error) { return nil, nil }
		args := []string{"--max-event-bytes=" + size, "--queue-bytes=32MiB", "--max-request-bytes=32MiB", "--drain-window=" + duration}
		c, err := config.Load(args, nil, read)
		if err != nil {
			return
		}
		var b strings.Builder
		if err := c.WriteYAML(&b); err != nil {
			t.Fatal(err)
		}
		again, err := config.Load([]string{"--config=f"}, nil, func(string) ([]byte, error) { return []byte(b.String()), nil })
		if err != nil {
			t.Fatalf("%q %q: %v", size, duration, err)
		}
		if again.MaxEventBytes != c.MaxEventBytes || again.DrainWindow != c.DrainWindow {
			t.Errorf("%q %q: %d %s came back as %d %s", size, duration, c.MaxEventBytes, c.DrainWindow, again.MaxEventBytes, again.DrainWindow)
		}
	})
}
