package flags_test

import (
	"errors"
	"flag"
	"reflect"
	"strings"
	"testing"
	"time"

	"relay/cmd/relay/internal/flags"
)

func newSet() (fs *flag.FlagSet, text *string, on *bool) {
	fs = flags.New("test")
	text = fs.String("text", "", "Some `WORDS` to say.")
	on = fs.Bool("on", false, "Switch it on.")
	fs.Int("n", 1, "How many.")
	fs.Duration("ttl", time.Hour, "How long, as `DURATION`.")
	return fs, text, on
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
		text string
		on   bool
	}{
		{"", "", "", false},
		{"a b", "a b", "", false},
		{"--text x a --on b", "a b", "x", true},
		{"a b -text=x -on", "a b", "x", true},
		{"a - b", "a - b", "", false},
		{"a -- --on", "a --on", "", false},
		{"-- -- a", "-- a", "", false},
		{"a --text -- b", "a b", "--", false},
		{"--on=false a", "a", "", false},
	} {
		fs, text, on := newSet()
		got, err := flags.Parse(fs, strings.Fields(tt.args))
		if err != nil {
			t.Errorf("%q: %v", tt.args, err)
			continue
		}
		if want := strings.Fields(tt.want); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: arguments %q, want %q", tt.args, got, want)
		}
		if *text != tt.text || *on != tt.on {
			t.Errorf("%q: text %q, on %v", tt.args, *text, *on)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ args, text, hint string }{
		{"--txet x", "there is no flag --txet", "did you mean --text?"},
		{"--something", "there is no flag --something", ""},
		{"a -12.5", "there is no flag --12.5", "stands after --"},
		{"--text", "--text needs a value", "--text=WORDS"},
		{"--ttl x", `--ttl: "x" is not a duration`, "10m"},
		{"--on=perhaps", `--on: "perhaps" is neither true nor false`, ""},
		{"--n x", `--n: "x" will not do`, ""},
		{"---x", "bad flag syntax: ---x", ""},
	} {
		fs, _, _ := newSet()
		_, err := flags.Parse(fs, strings.Fields(tt.args))
		var e *flags.Error
		if !errors.As(err, &e) || !strings.Contains(e.Text, tt.text) || !strings.Contains(e.Hint, tt.hint) || (tt.hint == "") != (e.Hint == "") {
			t.Errorf("%q: %#v", tt.args, err)
		}
	}
	for _, args := range []string{"-h", "--help", "a --help"} {
		fs, _, _ := newSet()
		if _, err := flags.Parse(fs, strings.Fields(args)); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	fs, _, _ := newSet()
	var b strings.Builder
	flags.Describe(&b, fs, func(name string) bool { return name == "text" || name == "ttl" })
	want := "  --text WORDS    Some WORDS to say.\n  --ttl DURATION  How long, as DURATION. (default 1h)\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestNoArguments(t *testing.T) {
	if err := flags.NoArguments(nil); err != nil {
		t.Error(err)
	}
	var e *flags.Error
	if err := flags.NoArguments([]string{"false"}); !errors.As(err, &e) || !strings.Contains(e.Hint, "--open=false") {
		t.Errorf("%#v", err)
	}
	if err := flags.NoArguments([]string{"x", "y"}); err == nil || err.Error() != `unexpected argument "x"` {
		t.Error(err)
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 20 * time.Second: "20s", 10 * time.Minute: "10m", 90 * time.Minute: "1h30m",
		24 * time.Hour: "24h", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s",
	} {
		got := flags.FormatDuration(d)
		if got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
		if again, err := time.ParseDuration(got); err != nil || again != d {
			t.Errorf("%s reads as %v", got, again)
		}
	}
}
