package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"relay/client"
)

// patience is for conditions that come true in milliseconds unless something
// is broken.
const patience = 30 * time.Second

// output collects what a command writes while others wait for it.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	close(o.changed)
	o.changed = make(chan struct{})
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// waitFor returns the first line that holds a text, once there is one.
func (o *output) waitFor(t *testing.T, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		all, changed := o.text.String(), o.changed
		o.mu.Unlock()
		for line := range strings.Lines(all) {
			if strings.Contains(line, text) {
				return line
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no line with %q in:\n%s", text, all)
		}
	}
}

// running is a command that goes on in the background.
type running struct {
	stdout, stderr *output
	stop           context.CancelFunc
	code           chan int
}

// start runs a command until the test ends or stops it.
func start(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{stdout: newOutput(), stderr: newOutput(), stop: cancel, code: make(chan int, 1)}
	p := &program{args: args, env: env, stdin: strings.NewReader(""), stdout: r.stdout, stderr: r.stderr}
	go func() { r.code <- run(ctx, p) }()
	t.Cleanup(cancel)
	return r
}

// exit waits for the command's end.
func (r *running) exit(t *testing.T) int {
	t.Helper()
	select {
	case code := <-r.code:
		return code
	case <-time.After(patience):
		t.Fatalf("the command goes on; it said:\n%s%s", r.stdout, r.stderr)
		return -1
	}
}

// call runs a command to its end and returns what it wrote.
func call(t *testing.T, env []string, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), &program{args: args, env: env, stdin: stdin, stdout: &out, stderr: &errs})
	return out.String(), errs.String(), code
}

// The whole of it, as a person at a few terminals would do it.
func TestServeTokenSubPub(t *testing.T) {
	secret := "RELAY_JWT_SECRET=0123456789abcdef0123456789abcdef"
	env := []string{
		secret, "RELAY_API_KEYS=key-one,key-two", "RELAY_LOG_FORMAT=json", "RELAY_DRAIN_WINDOW=5s",
		"RELAY_PUBLIC_ADDR=127.0.0.1:0", "RELAY_API_ADDR=127.0.0.1:0", "RELAY_OPS_ADDR=127.0.0.1:0", "RELAY_PUBLIC_PATH=/live",
	}
	relay := start(t, env)
	var at struct{ Public, API string }
	if err := json.Unmarshal([]byte(relay.stderr.waitFor(t, `"listening"`)), &at); err != nil {
		t.Fatal(err)
	}
	public, api := "http://"+at.Public+"/live", "http://"+at.API

	token, stderr, code := call(t, []string{secret}, nil, "token", "alice", "room.*")
	if code != exitOK || stderr != "" {
		t.Fatalf("token: %d %s", code, stderr)
	}
	withToken := []string{"RELAY_TOKEN=" + strings.TrimSpace(token)}
	all := start(t, withToken, "sub", "--url", public, "room.1")
	events := start(t, withToken, "sub", "--url", public, "room.1", "--events-only")
	all.stdout.waitFor(t, `"subscribed"`)

	// The second subscription is live when it has printed an event.
	for events.stdout.String() == "" {
		if _, stderr, code := call(t, env[1:2], nil, "pub", "--api-url", api, "room.1", "warm.up", "0"); code != exitOK {
			t.Fatalf("pub: %d %s", code, stderr)
		}
	}
	stdout, stderr, code := call(t, env[1:2], strings.NewReader("hi <b>\n"), "pub", "--api-url", api, "room.1", "-", "--text", "--key", "once")
	var result client.Result
	if err := json.Unmarshal([]byte(stdout), &result); code != exitOK || err != nil || result.Channel != "room.1" || result.ID == "" {
		t.Fatalf("pub: %d %q %q", code, stdout, stderr)
	}
	line := all.stdout.waitFor(t, result.ID)
	var frame client.Frame
	if err := json.Unmarshal([]byte(line), &frame); err != nil || frame.Event != "message" {
		t.Errorf("sub printed %s", line)
	}
	var text string
	if err := json.Unmarshal(frame.Data, &text); err != nil || text != "hi <b>" {
		t.Errorf("the text came as %s", frame.Data)
	}
	events.stdout.waitFor(t, result.ID)
	for line := range strings.Lines(events.stdout.String()) {
		if !strings.Contains(line, `"type":"event"`) {
			t.Errorf("--events-only printed %s", line)
		}
	}

	stdout, _, _ = call(t, env[1:2], strings.NewReader("hi <b>\n"), "pub", "--api-url", api, "room.1", "-", "--text", "--key", "once")
	if !strings.Contains(stdout, `"duplicate":true`) {
		t.Errorf("the repeat under one key gave %s", stdout)
	}
	stdout, _, _ = call(t, []string{"RELAY_API_URL=" + api, "RELAY_API_KEY=key-two"}, nil, "pub", "--no-history", "room.1", "1")
	if stdout != `{"channel":"room.1"}`+"\n" {
		t.Errorf("without history: %s", stdout)
	}

	_, stderr, code = call(t, nil, nil, "pub", "--api-url", api, "room.1", "1")
	if code != exitFailed || !strings.Contains(stderr, "relay pub: the relay answered 401") || !strings.Contains(stderr, "hint: set RELAY_API_KEY") {
		t.Errorf("without a key: %d %s", code, stderr)
	}
	_, stderr, code = call(t, env[1:2], nil, "pub", "--api-url", public, "room.1", "1")
	if code != exitFailed || !strings.Contains(stderr, "hint: --api-url says where") {
		t.Errorf("to the wrong listener: %d %s", code, stderr)
	}
	_, stderr, code = call(t, withToken, nil, "sub", "--url", public, "other")
	if code != exitFailed || !strings.Contains(stderr, "(4403)") || !strings.Contains(stderr, "hint: a token that covers") {
		t.Errorf("a forbidden channel: %d %s", code, stderr)
	}
	_, stderr, code = call(t, nil, nil, "sub", "--url", public, "--token", "nonsense", "room.1")
	if code != exitFailed || !strings.Contains(stderr, "(4401)") || !strings.Contains(stderr, "hint: set RELAY_TOKEN") {
		t.Errorf("a bad token: %d %s", code, stderr)
	}
	_, stderr, code = call(t, withToken, nil, "sub", "--url", strings.TrimSuffix(public, "/live"), "room.1")
	if code != exitFailed || !strings.Contains(stderr, "HTTP 404") || !strings.Contains(stderr, "hint: --url says where") {
		t.Errorf("the wrong path: %d %s", code, stderr)
	}

	events.stop()
	if code := events.exit(t); code != exitOK {
		t.Errorf("an interrupted sub ends with %d: %s", code, events.stderr)
	}
	relay.stop()
	if code := relay.exit(t); code != exitOK {
		t.Errorf("an interrupted relay ends with %d: %s", code, relay.stderr)
	}
	all.stdout.waitFor(t, `"goodbye"`)
	all.stderr.waitFor(t, "next attempt in")
	all.stop()
	if code := all.exit(t); code != exitOK {
		t.Errorf("a sub that is away ends with %d", code)
	}
}

func TestSubComesBack(t *testing.T) {
	env := []string{"RELAY_LOG_FORMAT=json", "RELAY_API_ADDR=127.0.0.1:0", "RELAY_OPS_ADDR=127.0.0.1:0"}
	var at struct{ Public string }
	first := start(t, env, "--public-addr", "127.0.0.1:0")
	if err := json.Unmarshal([]byte(first.stderr.waitFor(t, `"listening"`)), &at); err != nil {
		t.Fatal(err)
	}
	sub := start(t, nil, "sub", "news", "--url", "http://"+at.Public)
	sub.stdout.waitFor(t, `"subscribed"`)
	first.stop()
	if code := first.exit(t); code != exitOK {
		t.Fatalf("exit %d: %s", code, first.stderr)
	}
	sub.stderr.waitFor(t, "next attempt in")
	second := start(t, env, "--public-addr", at.Public)
	sub.stderr.waitFor(t, "relay sub: connected again")
	sub.stop()
	second.stop()
	if code := second.exit(t); code != exitOK {
		t.Errorf("exit %d: %s", code, second.stderr)
	}
}

func TestNothingListens(t *testing.T) {
	// Port 1 is nobody's on a machine that is not an antique.
	_, stderr, code := call(t, nil, nil, "pub", "--api-url", "http://127.0.0.1:1", "a", "1")
	if code != exitFailed || !strings.Contains(stderr, "relay pub: the relay cannot be reached") || !strings.Contains(stderr, "hint: is a relay running?") {
		t.Errorf("%d %s", code, stderr)
	}
}

// An address that is taken stops the start, and says so.
func TestAddressTaken(t *testing.T) {
	env := []string{"RELAY_LOG_FORMAT=json", "RELAY_PUBLIC_ADDR=127.0.0.1:0", "RELAY_OPS_ADDR=127.0.0.1:0"}
	first := start(t, env, "--api-addr", "127.0.0.1:0")
	var at struct{ API string }
	if err := json.Unmarshal([]byte(first.stderr.waitFor(t, `"listening"`)), &at); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := call(t, env, nil, "--api-addr", at.API)
	if code != exitFailed || !strings.Contains(stderr, "relay serve: ") || !strings.Contains(stderr, at.API) {
		t.Errorf("%d %s", code, stderr)
	}
	first.stop()
	first.exit(t)
}
