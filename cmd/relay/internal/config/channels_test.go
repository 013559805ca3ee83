package config_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"relay/cmd/relay/internal/config"
)

func TestChannels(t *testing.T) {
	c := load(t, "--config f --history-size 7", "RELAY_POSITION_TTL=30h", files{"f": `
history_ttl: 20m
channels:
  - {match: typing.*, history_size: 0}
  - match: orders.vip.*
    history_size: 5000
    history_ttl: 2h
    position_ttl: 72h
  - match: "orders.*"
    history_ttl: 1h
  - match: news
  - match: "*"
    history_size: 1
`})
	const m, h = time.Minute, time.Hour
	for channel, want := range map[string]config.Retention{
		"typing.7":     {Size: 0, TTL: 20 * m, PositionTTL: 30 * h},
		"orders.vip.1": {Size: 5000, TTL: 2 * h, PositionTTL: 72 * h},
		"orders.1":     {Size: 7, TTL: h, PositionTTL: 30 * h},
		"news":         {Size: 7, TTL: 20 * m, PositionTTL: 30 * h},
		"news.2":       {Size: 1, TTL: 20 * m, PositionTTL: 30 * h},
		"_relay":       {Size: 7, TTL: 20 * m, PositionTTL: 30 * h},
	} {
		if got := c.Retention(channel); got != want {
			t.Errorf("%s: %+v, want %+v", channel, got, want)
		}
	}

	got := squeeze(yamlOf(t, c))
	for _, want := range []string{
		"channels:",
		`- {match: "typing.*", history_size: 0, history_ttl: 20m, position_ttl: 30h} # f:4`,
		`- {match: "orders.vip.*", history_size: 5000, history_ttl: 2h, position_ttl: 72h} # f:5`,
		`- {match: "news", history_size: 7, history_ttl: 20m, position_ttl: 30h} # f:11`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("missing %s in:\n%s", want, got)
		}
	}
	again := load(t, "--config c", "", files{"c": yamlOf(t, c)})
	for _, channel := range []string{"typing.7", "orders.vip.1", "orders.1", "news", "news.2", "_relay"} {
		if a, b := c.Retention(channel), again.Retention(channel); a != b {
			t.Errorf("%s: %+v was printed and read back as %+v", channel, a, b)
		}
	}
}

func TestWithoutChannels(t *testing.T) {
	for _, file := range []string{"", "channels: []\n"} {
		c := load(t, "--config f", "", files{"f": file})
		if got, want := c.Retention("any"), (config.Retention{Size: 256, TTL: 10 * time.Minute, PositionTTL: 24 * time.Hour}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got := squeeze(yamlOf(t, c)); !strings.Contains(got, "\nchannels: [] # default\n") {
			t.Errorf("no channels in:\n%s", got)
		}
	}
}

func TestChannelProblems(t *testing.T) {
	for _, tt := range []struct{ name, file, want, hint string }{
		{"no list", "channels: news", "f:1: channels: it must be a list of rules", "{match:"},
		{"nothing", "channels:", "f:1: channels: it must be a list of rules", "{match:"},
		{"a mapping", "channels:\n  match: a", "f:1: channels: it must be a list of rules", "{match:"},
		{"twice", "channels: []\nchannels: []", "f:2: channels: it has been given in line 1", "leave one"},
		{"an item of text", "channels:\n  - news", "f:2: channels: the list holds something that is not a rule", "{match:"},
		{"an empty item", "channels:\n  - {}", "f:2: channels: the list holds something that is not a rule", "{match:"},
		{"no match", "channels:\n  - history_size: 1", "f:2: channels: the rule has no match, so it names no channel", ""},
		{"unknown field", "channels:\n  - match: a\n    history_sise: 1", `f:3: channels: a rule has no field "history_sise"`, "did you mean history_size?"},
		{"another setting", "channels:\n  - match: a\n    open: true", `f:3: channels: a rule has no field "open"`, "match, history_size, history_ttl, position_ttl"},
		{"field twice", "channels:\n  - match: a\n    match: b", "f:3: channels: match has been given in line 2", ""},
		{"type", "channels:\n  - match: a\n    history_size: many", "f:3: channels: history_size: it must be a whole number", ""},
		{"match is no text", "channels:\n  - match: 7", "f:2: channels: match: it must be text", "quotes"},
		{"match is nothing", "channels:\n  - match:\n    history_size: 1", "f:2: channels: match: it has no value", ""},
		{"match is a list", "channels:\n  - match: [a]", "f:2: channels: match: it must be plain text", ""},
		{"alias", "channels:\n  - match: *all", "f:2: channels: match: it is a YAML alias", "quotes"},
		{"pattern", "channels:\n  - match: a*b", "f:2: channels: pattern", ""},
		{"own channel", "channels:\n  - match: _x", "f:2: channels: pattern", ""},
		{"range", "channels:\n  - match: a\n    history_size: -1", "f:3: channels: history_size: -1 is out of range", ""},
		{"duration", "channels:\n  - match: a\n    history_size: 1\n    history_ttl: 10", `f:4: channels: history_ttl: "10" is not a duration`, "10s"},
		{"never reached", "channels:\n  - match: a*\n  - match: ab*", `f:3: channels: "ab*" is never reached: the first rule that matches counts, and "a*" in line 2`, "narrower"},
		{"the same twice", "channels:\n  - match: a\n  - match: a", `f:3: channels: "a" is never reached`, ""},
		{
			"position", "position_ttl: 3h\nchannels:\n  - match: a\n    history_ttl: 4h",
			`f:3: channels: for "a", position_ttl (3h) is less than history_ttl (4h)`, "position_ttl",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(words("--config f"), nil, files{"f": tt.file}.read)
			problems, ok := errors.AsType[config.Problems](err)
			if !ok || len(problems) != 1 {
				t.Fatalf("%v, want one problem", err)
			}
			if p := problems[0]; !strings.HasPrefix(p.Error(), tt.want) || !strings.Contains(p.Hint, tt.hint) {
				t.Errorf("got  %s (%s)\nwant %s (%s)", p, p.Hint, tt.want, tt.hint)
			}
		})
	}
}

// One start tells all that is wrong, and a global mistake is not told again
// for each rule.
func TestChannelProblemsTogether(t *testing.T) {
	file := "position_ttl: 1m\nchannels:\n  - match: a\n  - match: b\n    history_size: x\n  - match: c**\n"
	_, err := config.Load(words("--config f"), nil, files{"f": file}.read)
	problems, ok := errors.AsType[config.Problems](err)
	if !ok || len(problems) != 3 {
		t.Errorf("%d problems, want 3:\n%v", len(problems), err)
	}
}

func TestChannelsAreNoVariable(t *testing.T) {
	_, err := config.Load(nil, []string{"RELAY_CHANNELS=a"}, files{}.read)
	problems, ok := errors.AsType[config.Problems](err)
	if !ok || len(problems) != 1 || !strings.Contains(problems[0].Hint, "YAML file only") {
		t.Errorf("%v", err)
	}
}

// The example of the reference page is a file that can be used.
func TestChannelsExample(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(page), "```yaml\nchannels:")
	if !ok {
		t.Fatal("docs/settings.md has no example of channels")
	}
	example, _, _ = strings.Cut(example, "```")
	c := load(t, "--config f", "", files{"f": "channels:" + example})
	if got, want := c.Retention("orders.42"), (config.Retention{Size: 5000, TTL: 2 * time.Hour, PositionTTL: 72 * time.Hour}); got != want {
		t.Errorf("orders.42: %+v", got)
	}
	if got := c.Retention("typing.7"); got.Size != 0 {
		t.Errorf("typing.7: %+v", got)
	}
}
