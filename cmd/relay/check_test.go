package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// checkRelay starts a relay and returns the URLs of its public and api listeners.
func checkRelay(t *testing.T, env ...string) (public, api string) {
	t.Helper()
	relay := start(t, append([]string{
		"RELAY_LOG_FORMAT=json", "RELAY_PUBLIC_ADDR=127.0.0.1:0", "RELAY_API_ADDR=127.0.0.1:0", "RELAY_OPS_ADDR=127.0.0.1:0",
		"RELAY_DRAIN_WINDOW=0s",
	}, env...))
	t.Cleanup(func() {
		relay.stop()
		relay.exit(t)
	})
	var at struct{ Public, API string }
	if err := json.Unmarshal([]byte(relay.stderr.waitFor(t, `"listening"`)), &at); err != nil {
		t.Fatal(err)
	}
	return "http://" + at.Public, "http://" + at.API
}

func TestCheck(t *testing.T) {
	const secret, other = "RELAY_JWT_SECRET=0123456789abcdef0123456789abcdef", "RELAY_JWT_SECRET=another one of thirty-two bytes....."
	const keys = "RELAY_API_KEYS=key-one,key-two"
	public, api := checkRelay(t, secret, keys, "RELAY_PUBLIC_PATH=/live", "RELAY_PUBLIC_CHANNELS=public.*")
	check := func(channel string, env ...string) (stdout, stderr string, code int) {
		args := []string{"check", "--url", public + "/live", "--api-url", api}
		if channel != "" {
			args = append(args, channel)
		}
		return call(t, env, nil, args...)
	}

	if stdout, stderr, code := check("", secret, keys); code != exitOK || !strings.HasPrefix(stdout, "ok: an event in relay-check.") {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	if stdout, stderr, code := check("public.check", keys); code != exitOK || !strings.Contains(stdout, "in public.check came back") {
		t.Errorf("without a token: %d %s %s", code, stdout, stderr)
	}
	for what, tt := range map[string]struct {
		channel string
		env     []string
		want    string
	}{
		"no key":              {"public.check", nil, "hint: set RELAY_API_KEY"},
		"another key":         {"public.check", []string{"RELAY_API_KEY=guess"}, "hint: set RELAY_API_KEY"},
		"another secret":      {"", []string{other, keys}, "(4401)"},
		"no secret":           {"", []string{keys}, "hint:"},
		"not a channel":       {"_relay", []string{keys}, `"_relay"`},
		"a secret too short":  {"", []string{"RELAY_JWT_SECRET=short"}, "can be guessed"},
		"a token of somebody": {"", []string{keys, "RELAY_TOKEN=nonsense"}, "(4401)"},
	} {
		stdout, stderr, code := check(tt.channel, tt.env...)
		if code == exitOK || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: %d %s %s, want %s", what, code, stdout, stderr, tt.want)
		}
	}
}

// Two relays without a Redis in common: the event is taken and never arrives.
// How far it has come in that time is the machine's affair.
func TestCheckOfTwoRelays(t *testing.T) {
	public, _ := checkRelay(t)
	_, api := checkRelay(t)
	_, stderr, code := call(t, nil, nil, "check", "--url", public, "--api-url", api, "--timeout", "2s")
	if code != exitFailed || !strings.Contains(stderr, "relay check: time is up: ") {
		t.Errorf("%d %s", code, stderr)
	}
}

// What is not up yet is waited for, and said once.
func TestCheckWaits(t *testing.T) {
	refusals := make(chan struct{}, 2)
	public, api := checkRelay(t)
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case refusals <- struct{}{}:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			http.Redirect(w, r, api+r.URL.Path, http.StatusTemporaryRedirect)
		}
	}))
	defer late.Close()
	// A redirect is not followed, so the third answer is final.
	_, stderr, code := call(t, nil, nil, "check", "--url", public, "--api-url", late.URL)
	if code != exitFailed || strings.Count(stderr, "trying again") != 1 || !strings.Contains(stderr, "307") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestCheckOfNothing(t *testing.T) {
	// Port 1 is nobody's on a machine that is not an antique.
	_, stderr, code := call(t, nil, nil, "check", "--url", "http://127.0.0.1:1", "--timeout", "10ms")
	if code != exitFailed || !strings.Contains(stderr, "time is up: nobody said welcome at http://127.0.0.1:1") {
		t.Errorf("%d %s", code, stderr)
	}
}
