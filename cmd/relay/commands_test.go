package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"relay/auth"
	"relay/client"
	"relay/cmd/relay/internal/config"
)

func TestToken(t *testing.T) {
	const secret = "fedcba9876543210fedcba9876543210" // testdata/secret
	token, stderr, code := call(t, nil, nil, "token", "alice", "orders.42", "news.*", "--ttl", "10m", "--jwt-secret-file", "testdata/secret")
	if code != exitOK {
		t.Fatalf("%d %s", code, stderr)
	}
	grant, err := auth.NewVerifier(func() []byte { return []byte(secret) }).Verify(strings.TrimSpace(token))
	if err != nil {
		t.Fatal(err)
	}
	if grant.User != "alice" || !grant.Allows("orders.42") || !grant.Allows("news.x") || grant.Allows("orders.43") {
		t.Errorf("grants %+v", grant)
	}
	if left := time.Until(grant.Expires); left > 10*time.Minute+time.Second || left < 5*time.Minute {
		t.Errorf("expires in %v", left)
	}
}

func TestPubData(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"a":1}`, `"{\"a\":1}"`},
		{"tab\there", `"tab\there"`},
		{"", `""`},
	} {
		got, err := (&pubCommand{text: true}).data(tt.text)
		if err != nil || string(got) != tt.want {
			t.Errorf("%q: %s, %v", tt.text, got, err)
		}
	}
	for _, bad := range []string{"\xff", "", "{", "1 2", "NaN"} {
		if got, err := new(pubCommand).data(bad); err == nil {
			t.Errorf("%q was taken as %s", bad, got)
		}
	}
}

func TestPubInput(t *testing.T) {
	for input, want := range map[string]string{"x\n": "x", "x\r\n": "x", "x\n\n": "x\n", "x": "x", "": ""} {
		if got, err := readInput(strings.NewReader(input)); err != nil || got != want {
			t.Errorf("%q: %q, %v", input, got, err)
		}
	}
	if _, err := readInput(io.LimitReader(endless{}, maxInputBytes+1)); err == nil {
		t.Error("took more than it should")
	}
	if _, err := readInput(broken{}); err == nil || !strings.Contains(err.Error(), "standard input") {
		t.Errorf("broken input: %v", err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no tape") }

func TestPubEvent(t *testing.T) {
	c := &pubCommand{noHistory: true, exclude: "a, b,"}
	e, err := c.event([]string{"orders.42", "order.paid", "1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.Channel != "orders.42" || e.Event != "order.paid" || string(e.Data) != "1" || !e.Transient || strings.Join(e.Exclude, "|") != "a|b" {
		t.Errorf("%+v", e)
	}
}

func TestPublishAdvice(t *testing.T) {
	for status, want := range map[int]string{401: "RELAY_API_KEY", 403: "RELAY_API_KEY", 404: "--api-url", 429: "--key", 503: "--key", 422: ""} {
		err := advisePublish(&client.Problem{Status: status})
		var h *hinted
		if errors.As(err, &h) != (want != "") || want != "" && !strings.Contains(h.hint, want) {
			t.Errorf("%d: %#v", status, err)
		}
	}
}

// A reader who has had enough ends `relay sub`.
func TestSubStopsWhenNobodyReads(t *testing.T) {
	var why error
	f := follower{p: &program{stdout: full{}, stderr: io.Discard}, stop: func(err error) { why = err }}
	f.print(client.Frame{Type: client.FrameEvent, Raw: []byte("{}")})
	if why == nil || !strings.Contains(why.Error(), "the pipe is closed") {
		t.Errorf("stopped because of %v", why)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }

func TestVersion(t *testing.T) {
	for _, tt := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, "relay unknown\n"},
		{&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "relay v1.2.3\n"},
		{&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0a1b2c3"}, {Key: "vcs.time", Value: "2026-11-22T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
		}}, "relay (devel)\ncommit 0a1b2c3 of 2026-11-22T12:00:00Z, with changes that are not committed\n"},
	} {
		var b strings.Builder
		if err := writeVersion(&b, tt.info); err != nil {
			t.Fatal(err)
		}
		if got, go1 := b.String(), "go1."; !strings.HasPrefix(got, tt.want) || !strings.Contains(got, go1) {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if stdout, _, code := call(t, nil, nil, "--version"); code != exitOK || !strings.HasPrefix(stdout, "relay ") {
		t.Errorf("%d %s", code, stdout)
	}
}

func TestLogger(t *testing.T) {
	for _, tt := range []struct {
		format config.LogFormat
		want   string
	}{
		{config.LogText, "level=WARN msg=slow after=20s"},
		{config.LogJSON, `"level":"WARN","msg":"slow","after":"20s"`},
		{config.LogAuto, `"msg":"slow"`}, // a buffer is no terminal
	} {
		var b bytes.Buffer
		log := newLogger(&b, tt.format, slog.LevelWarn)
		log.Info("not at this level")
		log.Warn("slow", "after", 20*time.Second)
		if got := b.String(); strings.Contains(got, "not at") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", tt.format, got)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if isTerminal(w) {
		t.Error("a pipe counts as a terminal")
	}
}
