package config_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"relay/cmd/relay/internal/config"
)

func yamlOf(t *testing.T, c *config.Config) string {
	t.Helper()
	var b strings.Builder
	if err := c.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// squeeze makes the columns of a text comparable.
func squeeze(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}

func TestWriteYAML(t *testing.T) {
	c := load(t, "--config f --open --public-channels a,b.*", "RELAY_API_KEYS=hunter2 RELAY_JWT_SECRET_FILE=s RELAY_REDIS_URL=redis://u:hunter2@h:1",
		files{"f": "\nhistory_ttl: 90m\nprefix: \"x:\"", "s": goodSecret})
	got := squeeze(yamlOf(t, c))
	for _, want := range []string{
		`public_addr: "127.0.0.1:8080" # default`,
		`console: auto # default; on, because public_addr is loopback`,
		`# redis_url: "redis://u:hidden@h:1" # environment RELAY_REDIS_URL`,
		`prefix: "x:" # f:3`,
		`# api_keys: (set, hidden) # environment RELAY_API_KEYS`,
		`jwt_secret_file: "s" # environment RELAY_JWT_SECRET_FILE`,
		`public_channels: ["a", "b.*"] # flag --public-channels`,
		`open: true # flag --open`,
		`history_ttl: 1h30m # f:2`,
		`max_event_bytes: 64KiB # default`,
		`log_level: info # default`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("missing %s in:\n%s", want, got)
		}
	}
	for _, never := range []string{"hunter2", goodSecret, "jwt_secret:", "api_keys_file"} {
		if strings.Contains(got, never) {
			t.Errorf("%q stands in:\n%s", never, got)
		}
	}
}

// What is printed can be used as a file, and then says the same.
func TestWriteYAMLIsReadBack(t *testing.T) {
	first := load(t, "--public-addr :80 --api-addr [::1]:81 --open --prefix tom's\\\"x: --public-channels räume.*,a "+
		"--allowed-origins https://*.x.y --console=false --history-ttl 1h0m1s --max-event-bytes 70001 --queue-bytes 1MiB "+
		"--redis-url redis://h:1 --log-level error --log-format json --public-path /relay --ready-strict --jwt-secret-file s",
		"", files{"s": goodSecret})
	again := load(t, "--config c", "", files{"c": yamlOf(t, first), "s": goodSecret})
	if a, b := values(yamlOf(t, first)), values(yamlOf(t, again)); !reflect.DeepEqual(a, b) {
		t.Errorf("before:\n%s\nafter:\n%s", a, b)
	}
	if again.Prefix != `tom's\"x:` || again.MaxEventBytes != 70001 || again.RedisURL.Get() != "redis://h:1" {
		t.Errorf("prefix %q, max_event_bytes %d, redis_url %q", again.Prefix, again.MaxEventBytes, again.RedisURL.Get())
	}

	fresh := load(t, "", "", nil)
	load(t, "--config c", "", files{"c": yamlOf(t, fresh)})
	load(t, "--config c", "RELAY_JWT_SECRET_FILE=s", files{"c": yamlOf(t, fresh), "s": goodSecret})
}

// values leaves out where values came from.
func values(yaml string) []string {
	var lines []string
	for line := range strings.Lines(yaml) {
		value, _, _ := strings.Cut(line, "  #")
		lines = append(lines, strings.TrimSpace(value))
	}
	return lines
}

func TestHelpNamesEverySetting(t *testing.T) {
	var help, page strings.Builder
	if err := config.WriteHelp(&help); err != nil {
		t.Fatal(err)
	}
	if err := config.WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		if !strings.Contains(help.String(), "--"+s.Flag()) {
			t.Errorf("help lacks --%s", s.Flag())
		}
		if !strings.Contains(page.String(), s.Env()+"`") {
			t.Errorf("reference lacks %s", s.Env())
		}
		if s.Help == "" || s.Group == "" || strings.Contains(s.Help, "\n") {
			t.Errorf("%s has no help of one line", s.Name)
		}
	}
}

func TestReferencePageIsFresh(t *testing.T) {
	const page = "../../../../docs/settings.md"
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	if err := config.WriteReference(&want); err != nil {
		t.Fatal(err)
	}
	if string(got) != want.String() {
		t.Error("docs/settings.md is not what the table of settings says; run: go generate ./cmd/relay")
	}
}
