package config_test

import (
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
	"relay/event"
)

const goodSecret = "0123456789abcdef0123456789abcdef"

// files stands in for the file system.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	content, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(content), nil
}

// words splits a test's arguments at spaces.
func words(s string) []string { return strings.Fields(s) }

func load(t *testing.T, args, environ string, f files) *config.Config {
	t.Helper()
	c, err := config.Load(words(args), words(environ), f.read)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := load(t, "", "", nil)
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"public_addr", c.PublicAddr, "127.0.0.1:8080"},
		{"api_addr", c.APIAddr, "127.0.0.1:8081"},
		{"ops_addr", c.OpsAddr, "127.0.0.1:8082"},
		{"public_path", c.PublicPath, ""},
		{"console", c.Console, true},
		{"redis_url", c.RedisURL.Get(), ""},
		{"prefix", c.Prefix, "relay:"},
		{"api_keys", len(c.APIKeys.List()), 0},
		{"jwt_secret", c.JWTSecret.Get(), ""},
		{"public_channels", len(c.PublicChannels), 0},
		{"open", c.Open, false},
		{"OpenLocal", c.OpenLocal, true},
		{"allowed_origins", len(c.AllowedOrigins), 0},
		{"history_size", c.HistorySize, 256},
		{"history_ttl", c.HistoryTTL, 10 * time.Minute},
		{"position_ttl", c.PositionTTL, 24 * time.Hour},
		{"max_event_bytes", c.MaxEventBytes, 64 << 10},
		{"max_request_bytes", c.MaxRequestBytes, 8 << 20},
		{"max_frame_bytes", c.MaxFrameBytes, 16 << 10},
		{"max_connections", c.MaxConnections, 100_000},
		{"max_channels", c.MaxChannels, 128},
		{"queue_bytes", c.QueueBytes, 256 << 10},
		{"ready_strict", c.ReadyStrict, false},
		{"drain_delay", c.DrainDelay, 5 * time.Second},
		{"drain_window", c.DrainWindow, 20 * time.Second},
		{"grace_period", c.GracePeriod, time.Duration(0)},
		{"generation", c.Generation, ""},
		{"max_connection_age", c.MaxConnectionAge, time.Duration(0)},
		{"log_level", c.LogLevel, slog.LevelInfo},
		{"log_format", c.LogFormat, config.LogAuto},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestStrength(t *testing.T) {
	const file = "history_size: 1\n"
	for _, tt := range []struct {
		name, args, environ string
		want                int
	}{
		{"default", "", "", 256},
		{"file beats default", "--config f.yaml", "", 1},
		{"file named by environment", "", "RELAY_CONFIG=f.yaml", 1},
		{"environment beats file", "--config f.yaml", "RELAY_HISTORY_SIZE=2", 2},
		{"flag beats environment", "--config f.yaml --history-size 3", "RELAY_HISTORY_SIZE=2", 3},
		{"last flag counts", "--history-size 3 --history-size=4", "", 4},
		{"empty variable is not set", "--config f.yaml", "RELAY_HISTORY_SIZE=", 1},
		{"flag file beats environment file", "--config f.yaml", "RELAY_CONFIG=missing.yaml", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c := load(t, tt.args, tt.environ, files{"f.yaml": file}); c.HistorySize != tt.want {
				t.Errorf("history_size = %d, want %d", c.HistorySize, tt.want)
			}
		})
	}
}

func TestLists(t *testing.T) {
	want := []event.Pattern{"news", "room.*"}
	yaml := files{"f": "public_channels:\n  - news\n  - room.*\n"}
	for name, c := range map[string]*config.Config{
		"flag":           load(t, "--public-channels news,room.*", "", nil),
		"repeated flag":  load(t, "--public-channels news --public-channels room.*", "", nil),
		"environment":    load(t, "", "RELAY_PUBLIC_CHANNELS=,news,room.*,", nil),
		"file":           load(t, "--config f", "", yaml),
		"flag over file": load(t, "--config f --public-channels news,room.*", "", files{"f": "public_channels: [other]"}),
	} {
		if !reflect.DeepEqual(c.PublicChannels, want) {
			t.Errorf("%s: %q, want %q", name, c.PublicChannels, want)
		}
	}

	emptied := load(t, "--config f --public-channels=", "", yaml)
	if len(emptied.PublicChannels) != 0 {
		t.Errorf("an empty flag leaves %q", emptied.PublicChannels)
	}
	comma := load(t, "--config f", "", files{"f": `public_channels: ["a,b"]`})
	if !reflect.DeepEqual(comma.PublicChannels, []event.Pattern{"a,b"}) {
		t.Errorf("a name with a comma became %q", comma.PublicChannels)
	}
}

func TestSwitches(t *testing.T) {
	for _, tt := range []struct {
		args, environ, file string
		want                bool
	}{
		{"--open", "", "", true},
		{"--open=false", "RELAY_OPEN=true", "", false},
		{"", "RELAY_OPEN=1", "", true},
		{"", "", "open: true", true},
	} {
		c := load(t, "--config f "+tt.args, tt.environ, files{"f": tt.file})
		if c.Open != tt.want {
			t.Errorf("%q %q %q: open = %v", tt.args, tt.environ, tt.file, c.Open)
		}
	}
}

func TestFilesOfOtherSystems(t *testing.T) {
	if c := load(t, "--config f", "", files{"f": "\ufeffhistory_size: 1\r\nprefix: x\r\n"}); c.HistorySize != 1 || c.Prefix != "x" {
		t.Errorf("history_size %d, prefix %q", c.HistorySize, c.Prefix)
	}
	for _, nothing := range []string{"", "# only a remark\n", "---\n"} {
		load(t, "--config f", "", files{"f": nothing})
	}
}

func TestConsole(t *testing.T) {
	for _, tt := range []struct {
		args string
		want bool
	}{
		{"", true},
		{"--public-addr localhost:80", true},
		{"--public-addr [::1]:80", true},
		{"--public-addr :80 --open", false},
		{"--public-addr :80 --open --console", true},
		{"--console=false", false},
		{"--console=auto", true},
	} {
		if c := load(t, tt.args, "", nil); c.Console != tt.want {
			t.Errorf("%q: console %v", tt.args, c.Console)
		}
	}
}

func TestConsolePublish(t *testing.T) {
	for _, tt := range []struct {
		args, environ string
		want          bool
	}{
		{"", "", true},
		{"--console=false", "", false},
		{"--open", "", false},
		{"--open --console", "", true},
		{"", "RELAY_JWT_SECRET=" + goodSecret, false},
		{"--console", "RELAY_JWT_SECRET=" + goodSecret, true},
		{"--console", "RELAY_API_KEYS=k", false},
		{"--console --api-addr :8081", "RELAY_API_KEYS=k", false},
		{"--console --open --public-addr :80", "", false},
		{"--open", "KUBERNETES_SERVICE_HOST=10.0.0.1", false},
	} {
		if c := load(t, tt.args, tt.environ, nil); c.ConsolePublish != tt.want {
			t.Errorf("%q %q: ConsolePublish = %v", tt.args, tt.environ, c.ConsolePublish)
		}
	}
}

func TestOpenLocal(t *testing.T) {
	const pod = "KUBERNETES_SERVICE_HOST=10.0.0.1 "
	for _, tt := range []struct {
		args, environ string
		want          bool
		notice        string
	}{
		{"", "", true, "open to everyone on this machine"},
		{"--open", "", false, "open to everyone who can reach"},
		{"", "RELAY_JWT_SECRET=" + goodSecret, false, ""},
		{"--public-channels news", "", false, ""},
		{"--open", pod, false, "open to everyone who can reach"},
		{"--public-channels news", pod, false, ""},
	} {
		c := load(t, tt.args, tt.environ, nil)
		if c.OpenLocal != tt.want {
			t.Errorf("%q %q: OpenLocal = %v", tt.args, tt.environ, c.OpenLocal)
		}
		notices := strings.Join(c.Notices(), "\n")
		if !strings.Contains(notices, tt.notice) || tt.notice == "" && notices != "" {
			t.Errorf("%q %q: notices %q, want %q", tt.args, tt.environ, notices, tt.notice)
		}
	}
}

func TestPodDefaults(t *testing.T) {
	const pod = "KUBERNETES_SERVICE_HOST=10.0.0.1 RELAY_OPEN=true "
	if c := load(t, "", pod, nil); c.OpsAddr != ":8082" || c.PublicAddr != "127.0.0.1:8080" {
		t.Errorf("in a pod: ops %s, public %s", c.OpsAddr, c.PublicAddr)
	}
	if c := load(t, "", pod+"RELAY_OPS_ADDR=127.0.0.1:9", nil); c.OpsAddr != "127.0.0.1:9" {
		t.Errorf("a given ops address became %s", c.OpsAddr)
	}
}

func TestServiceLinksAreIgnored(t *testing.T) {
	load(t, "", strings.Join([]string{
		"RELAY_SERVICE_HOST=10.0.0.7", "RELAY_SERVICE_PORT=8080", "RELAY_SERVICE_PORT_HTTP=8080",
		"RELAY_PORT=tcp://10.0.0.7:8080", "RELAY_PORT_8080_TCP=tcp://10.0.0.7:8080",
		"RELAY_PORT_8080_TCP_PROTO=tcp", "RELAY_PORT_8080_TCP_PORT=8080", "RELAY_PORT_8080_TCP_ADDR=10.0.0.7",
		"RELAY_API_SERVICE_HOST=10.0.0.8", "RELAY_API_PORT=tcp://10.0.0.8:8081", "RELAY_API_PORT_8081_TCP_ADDR=10.0.0.8",
		"RELAYS=3", "PATH=/bin",
	}, " "), nil)
}

// A terminal from which somebody publishes can start a relay too.
func TestUsersVariablesAreIgnored(t *testing.T) {
	load(t, "", "RELAY_TOKEN=x RELAY_API_URL=http://127.0.0.1:8081", nil)
	load(t, "", "RELAY_API_KEY=k RELAY_API_KEYS=k", nil)
	load(t, "--api-keys k", "RELAY_API_KEY=k", nil)
}

func TestNoSettingLooksLikeAServiceLink(t *testing.T) {
	for _, s := range config.Settings() {
		if config.IsServiceLink(s.Env(), "1") || config.IsServiceLink(s.Env(), "tcp://10.0.0.1:80") {
			t.Errorf("%s would be ignored when mistyped, and clash with Kubernetes", s.Env())
		}
	}
}

func TestOrigins(t *testing.T) {
	c := load(t, "--allowed-origins https://App.example.com:443,http://localhost:3000,https://*.example.org,http://[::1]:80,*,capacitor://localhost", "", nil)
	want := []string{"https://app.example.com", "http://localhost:3000", "https://*.example.org", "http://[::1]", "*", "capacitor://localhost"}
	if !reflect.DeepEqual(c.AllowedOrigins, want) {
		t.Errorf("got %q, want %q", c.AllowedOrigins, want)
	}
}

func TestRedisURLs(t *testing.T) {
	for _, u := range []string{
		"redis://localhost:6379", "rediss://user:p%40ss@redis.example.com:6380/2", "unix:///run/redis.sock",
		"redis://a:26379?addr=b:26379&master_set=main", "valkey://localhost",
	} {
		if c := load(t, "--redis-url "+u, "", nil); c.RedisURL.Get() != u {
			t.Errorf("%s became %s", u, c.RedisURL.Get())
		}
	}
	c := load(t, "--redis-url redis://user:hunter2@h:1/2", "", nil)
	if got := c.ShownRedisURL(); got != "redis://user:hidden@h:1/2" {
		t.Errorf("shown as %s", got)
	}
}

// Each problem says where the value came from; several come at once.
func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name, args, environ, file string
		want                      []string
	}{
		{name: "unknown variable", environ: "RELAY_HISTROY_SIZE=3", want: []string{"RELAY_HISTROY_SIZE: there is no such setting|did you mean RELAY_HISTORY_SIZE?"}},
		{name: "unknown variable like nothing", environ: "RELAY_FROBNICATE=3", want: []string{"RELAY_FROBNICATE: there is no such setting|relay help serve"}},
		{name: "the publisher's key for the relay's", environ: "RELAY_API_KEY=k", want: []string{"RELAY_API_KEY: there is no such setting|did you mean RELAY_API_KEYS?"}},
		{name: "no complaint about the publisher's key", environ: "RELAY_API_KEY=k RELAY_API_KEYS=ü", want: []string{"RELAY_API_KEYS: key 1 of 1 holds"}},
		{name: "port number is no service link", environ: "RELAY_PORT=8080", want: []string{"RELAY_PORT: there is no such setting"}},
		{name: "public port is no service link", environ: "RELAY_PUBLIC_PORT=8080", want: []string{"RELAY_PUBLIC_PORT: there is no such setting|RELAY_PUBLIC_ADDR=:8080"}},
		{name: "unreadable file", args: "--config none.yaml", want: []string{`--config: the file "none.yaml" cannot be read: file does not exist`}},
		{name: "unreadable file by environment", environ: "RELAY_CONFIG=none.yaml", want: []string{`RELAY_CONFIG: the file "none.yaml"`}},

		{name: "unknown key", file: "\nhistory-size: 3", want: []string{`f.yaml:2: there is no setting "history-size"|did you mean history_size?`}},
		{name: "repeated key", file: "open: true\nhistory_size: 3\nopen: true", want: []string{"f.yaml:3: open: it has been given in line 1"}},
		{name: "no value", file: "prefix:", want: []string{"f.yaml:1: prefix: it has no value"}},
		{name: "number in quotes", file: `history_size: "3"`, want: []string{"f.yaml:1: history_size: it must be a whole number|without quotes"}},
		{name: "fraction", file: `history_size: 3.5`, want: []string{"f.yaml:1: history_size: it must be a whole number"}},
		{name: "hexadecimal", file: `history_size: 0x10`, want: []string{`f.yaml:1: history_size: "0x10" is not a whole number`}},
		{name: "text for a switch", file: `open: "true"`, want: []string{"f.yaml:1: open: it must be true or false"}},
		{name: "yes for a switch", file: `open: yes`, want: []string{"f.yaml:1: open: it must be true or false"}},
		{name: "number for text", file: `prefix: 3`, want: []string{"f.yaml:1: prefix: it must be text|quotes"}},
		{name: "map for text", file: "prefix:\n  a: b", want: []string{"f.yaml:1: prefix: it must be plain text"}},
		{name: "list for text", file: "prefix: [a]", want: []string{"f.yaml:1: prefix: it must be plain text"}},
		{name: "text for a list", file: "public_channels: news", want: []string{"f.yaml:1: public_channels: it must be a list"}},
		{name: "number in a list", file: "public_channels: [1]", want: []string{"f.yaml:1: public_channels: the list holds something that is not text"}},
		{name: "bare asterisk", file: "public_channels: [*]", want: []string{"f.yaml:1: it is not valid YAML|quotes"}},
		{name: "asterisk before a name", file: "public_channels: [*news]", want: []string{"f.yaml:1: public_channels: the list holds a YAML alias|quotes"}},
		{name: "anchor", file: "prefix: &a x", want: []string{"f.yaml:1: prefix: it must be plain text"}},
		{name: "tag", file: "prefix: !!str 3", want: []string{"f.yaml:1: prefix: it must be plain text"}},
		{name: "merge", file: "<<: {open: true}", want: []string{"f.yaml:1: a setting's name is plain text"}},
		{name: "not a mapping", file: "- a", want: []string{"f.yaml:1: settings are written as lines"}},
		{name: "two documents", file: "open: true\n---\nopen: true", want: []string{"f.yaml:3: a second document begins here"}},
		{name: "broken YAML", file: "# x\nopen: true\n  x: [", want: []string{"f.yaml:2: it is not valid YAML"}},
		{name: "a file reader's repeat of a bad value", file: "history_size: x\nhistory_size: 3", want: []string{"f.yaml:1: history_size: it must be a whole number", "f.yaml:2: history_size: it has been given in line 1"}},
		{name: "everything at once", args: "--history-ttl 10", environ: "RELAY_PREFIX={x} RELAY_X=1", file: "queue_bytes: 1GB\n",
			want: []string{`RELAY_PREFIX: "{x}" holds a brace`, `--history-ttl: "10" is not a duration|10s, 10m or 10h`, `f.yaml:1: queue_bytes: "1GB" is not a size`, "RELAY_X: there is no such"}},

		{name: "address without port", args: "--public-addr localhost", want: []string{`--public-addr: "localhost" is not an address with a port`}},
		{name: "address of a port only", args: "--public-addr 8080", want: []string{`--public-addr: "8080" is not an address|:8080 for every`}},
		{name: "named port", args: "--public-addr localhost:http", want: []string{`--public-addr: the port of "localhost:http"`}},
		{name: "port too large", args: "--public-addr :65536", want: []string{`--public-addr: the port of ":65536"`}},
		{name: "url as address", args: "--public-addr http://localhost:80", want: []string{`--public-addr: "http://localhost:80" is not an address`}},
		{name: "path without slash", args: "--public-path relay", want: []string{`--public-path: "relay" does not begin with a slash|"/relay"`}},
		{name: "path with slash behind", args: "--public-path /relay/", want: []string{`--public-path: "/relay/" ends with a slash|"/relay"`}},
		{name: "slash as path", args: "--public-path /", want: []string{`--public-path: "/" ends with a slash|leave it out`}},
		{name: "dotted path", args: "--public-path /a/../b", want: []string{`--public-path: "/a/../b" has empty or dotted parts|"/b"`}},
		{name: "doubled slash", args: "--public-path //a", want: []string{`--public-path: "//a" has empty or dotted parts`}},
		{name: "query in path", args: "--public-path /a?b", want: []string{`--public-path: "/a?b" holds something`}},
		{name: "console", args: "--console=perhaps", want: []string{`--console: "perhaps" is none of auto, true and false`}},
		{name: "open", environ: "RELAY_OPEN=yes", want: []string{`RELAY_OPEN: "yes" is neither true nor false`}},
		{name: "empty prefix", args: "--prefix=", want: []string{"--prefix: it must not be empty"}},
		{name: "prefix too long", args: "--prefix=" + strings.Repeat("x", 129), want: []string{"--prefix: it has 129 bytes"}},
		{name: "prefix with space", file: `prefix: "a b"`, want: []string{`f.yaml:1: prefix: "a b" holds white space`}},
		{name: "pattern", args: "--public-channels a*b", want: []string{`--public-channels: pattern "a*b"`}},
		{name: "own channels", args: "--public-channels _control", want: []string{`--public-channels: pattern "_control"`}},
		{name: "origin without scheme", args: "--allowed-origins app.example.com", want: []string{`--allowed-origins: "app.example.com" is not an origin|https://app.example.com`}},
		{name: "origin with path", args: "--allowed-origins https://x.y/", want: []string{`--allowed-origins: "https://x.y/" has more than|write https://x.y`}},
		{name: "origin with asterisk inside", args: "--allowed-origins https://a.*.y", want: []string{"--allowed-origins: \"https://a.*.y\" has an asterisk"}},
		{name: "origin null", args: "--allowed-origins null", want: []string{`--allowed-origins: "null" is not an origin`}},
		{name: "history size", args: "--history-size -1", want: []string{"--history-size: -1 is out of range: 0 to 1000000"}},
		{name: "negative duration", args: "--drain-window -1s", want: []string{"--drain-window: -1s is too short"}},
		{name: "huge size", args: "--max-event-bytes 9223372036854775807MiB", want: []string{"--max-event-bytes: \"9223372036854775807MiB\" is not a size"}},
		{name: "frame too small for a token", args: "--max-frame-bytes 1KiB", want: []string{"--max-frame-bytes: 1KiB is out of range: 9KiB to 1MiB"}},
		{name: "log level", args: "--log-level loud", want: []string{`--log-level: "loud" is none of debug, info, warn and error`}},
		{name: "log format", args: "--log-format xml", want: []string{`--log-format: "xml" is none of auto, text and json`}},

		{name: "public address without authentication", args: "--public-addr :8080", want: []string{`--public-addr: ":8080" can be reached from other machines|RELAY_JWT_SECRET`}},
		{name: "a pod without authentication", environ: "KUBERNETES_SERVICE_HOST=10.0.0.1", want: []string{`public_addr: in a pod no channel is open by itself|RELAY_JWT_SECRET`}},
		{name: "an option of the Redis URL", args: "--redis-url redis://h:1?mater_set=x", want: []string{`--redis-url: it has an option "mater_set" that means nothing|did you mean master_set`}},
		{name: "the same from a file", file: "public_addr: 0.0.0.0:8080", want: []string{`f.yaml:1: public_addr: "0.0.0.0:8080" can be`}},
		{name: "host names are public", args: "--public-addr example.com:80", want: []string{`--public-addr: "example.com:80" can be`}},
		{name: "no complaint about what failed", args: "--public-addr :8080 --jwt-secret short", want: []string{"--jwt-secret: a secret of 5 bytes can be guessed"}},
		{name: "api address without keys", args: "--api-addr :8081", want: []string{`--api-addr: ":8081" can be reached from other machines|RELAY_API_KEYS`}},
		{name: "same port", args: "--api-addr 127.0.0.1:8080", want: []string{`--api-addr: "127.0.0.1:8080" is the port of public_addr`}},
		{name: "same port by wildcard", args: "--open --public-addr :8082", want: []string{`ops_addr: "127.0.0.1:8082" is the port of public_addr`}},
		{name: "position before history", args: "--history-ttl 48h", want: []string{"position_ttl: 24h is less than history_ttl, 48h"}},
		{name: "event larger than request", args: "--max-event-bytes 9MiB --queue-bytes 10MiB", want: []string{"max_request_bytes: 8MiB is less than max_event_bytes, 9MiB"}},
		{name: "event larger than queue", args: "--max-event-bytes 253KiB", want: []string{"queue_bytes: 256KiB cannot hold the largest event"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := words(tt.args)
			if tt.file != "" {
				args = append(args, "--config", "f.yaml")
			}
			c, err := config.Load(args, words(tt.environ), files{"f.yaml": tt.file}.read)
			var got config.Problems
			if !errors.As(err, &got) {
				t.Fatalf("got %+v, %v; want problems", c, err)
			}
			if len(got) != len(tt.want) {
				t.Errorf("got %d problems, want %d:\n%v", len(got), len(tt.want), got)
			}
			for _, want := range tt.want {
				if !hasProblem(got, want) {
					t.Errorf("missing %q in:\n%v", want, got)
				}
			}
		})
	}
}

// hasProblem looks for "beginning of the text|part of the hint".
func hasProblem(ps config.Problems, want string) bool {
	text, hint, _ := strings.Cut(want, "|")
	for _, p := range ps {
		if strings.HasPrefix(p.Error(), text) && strings.Contains(p.Hint, hint) {
			return true
		}
	}
	return false
}

func TestFitsTogether(t *testing.T) {
	for _, args := range []string{
		"--public-addr :8080 --open",
		"--public-addr :8080 --public-channels news",
		"--public-addr :8080 --jwt-secret " + goodSecret,
		"--api-addr :8081 --api-keys k",
		"--public-addr 127.0.0.1:0 --api-addr 127.0.0.1:0 --ops-addr :0",
		"--public-addr 127.0.0.1:80 --api-addr 127.0.0.2:80",
		"--max-event-bytes 252KiB",
		"--history-ttl 24h",
		"--drain-window 0",
	} {
		load(t, args, "", nil)
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct{ args, text, hint string }{
		{"--histroy-size 3", "there is no flag --histroy-size", "did you mean --history-size?"},
		{"--history-size", "--history-size needs a value", "--history-size=N"},
		{"now", `unexpected argument "now"`, ""},
		{"--open false", `unexpected argument "false"`, "--open=false"},
	} {
		_, err := config.Load(words(tt.args), nil, files{}.read)
		var usage *flags.Error
		if !errors.As(err, &usage) {
			t.Errorf("%q: %v", tt.args, err)
			continue
		}
		if usage.Text != tt.text || !strings.Contains(usage.Hint, tt.hint) {
			t.Errorf("%q: %q, hint %q; want %q, hint %q", tt.args, usage.Text, usage.Hint, tt.text, tt.hint)
		}
	}
	if _, err := config.Load([]string{"--help"}, nil, files{}.read); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
}

// A command that needs one setting must not trip over another.
func TestSomeSettings(t *testing.T) {
	fs := flags.New("token")
	loader := config.Bind(fs, "jwt_secret")
	if _, err := flags.Parse(fs, words("--jwt-secret-file s")); err != nil {
		t.Fatal(err)
	}
	c, err := loader.Load(words("RELAY_PUBLIC_ADDR=:8080 RELAY_X=1"), files{"s": goodSecret}.read)
	if err != nil {
		t.Fatal(err)
	}
	if c.JWTSecret.Get() != goodSecret {
		t.Errorf("got %q", c.JWTSecret.Get())
	}
}
