package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"relay/client"
	"relay/cmd/relay/internal/config"
)

// As the preStop hook of a pod calls it: with the relay's own environment.
func TestDrainCommand(t *testing.T) {
	env := []string{
		"RELAY_API_KEYS=key-one,key-two", "RELAY_LOG_FORMAT=json", "RELAY_DRAIN_DELAY=0s", "RELAY_DRAIN_WINDOW=1s",
		"RELAY_PUBLIC_ADDR=127.0.0.1:0", "RELAY_API_ADDR=0.0.0.0:0", "RELAY_OPS_ADDR=127.0.0.1:0",
	}
	relay := start(t, env)
	var at struct{ Public, API string }
	if err := json.Unmarshal([]byte(relay.stderr.waitFor(t, `"listening"`)), &at); err != nil {
		t.Fatal(err)
	}
	port := at.API[strings.LastIndexByte(at.API, ':'):]

	_, stderr, code := call(t, []string{"RELAY_API_ADDR=" + port, "RELAY_API_KEYS=another"}, nil, "drain")
	if code != exitFailed || !strings.Contains(stderr, "relay drain: the relay answered 401") {
		t.Errorf("with another key: %d %s", code, stderr)
	}
	sub := start(t, nil, "sub", "--url", "http://"+at.Public, "news")
	sub.stdout.waitFor(t, `"subscribed"`)
	env[5] = "RELAY_API_ADDR=" + port
	for range 2 { // a repeat finds it done
		if _, stderr, code := call(t, env, nil, "drain"); code != exitOK || !strings.HasPrefix(stderr, "relay drain: ") {
			t.Errorf("%d %s", code, stderr)
		}
	}
	sub.stdout.waitFor(t, `"goodbye"`)
	if _, stderr, code := call(t, env[:1], nil, "pub", "--api-url", "http://127.0.0.1"+port, "news", "1"); code != exitOK {
		t.Errorf("a relay that is drained takes no event: %d %s", code, stderr)
	}
	relay.stop()
	if code := relay.exit(t); code != exitOK {
		t.Errorf("exit %d: %s", code, relay.stderr)
	}
	sub.stop()
	sub.exit(t)
}

// However many ask at once, it is one drain, and told once.
func TestDrainIsToldOnce(t *testing.T) {
	said := newOutput()
	r, err := newRelay(settings(t, []string{
		"RELAY_DRAIN_DELAY=0s", "RELAY_PUBLIC_ADDR=127.0.0.1:0", "RELAY_API_ADDR=127.0.0.1:0", "RELAY_OPS_ADDR=127.0.0.1:0",
	}), slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	begin := make(chan struct{})
	var asking sync.WaitGroup
	for range 200 {
		asking.Go(func() {
			<-begin
			r.Leave()
		})
	}
	close(begin)
	asking.Wait()
	if n := strings.Count(said.String(), "leaving: "); n != 1 {
		t.Errorf("told %d times:\n%s", n, said)
	}
}

// A frozen relay takes connections and never answers.
func TestDrainOfAFrozenRelay(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	_, err = beginDrain(t.Context(), client.DrainOptions{URL: "http://" + mute.Addr().String()}, 10*time.Millisecond)
	if !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

// Whatever the settings, the plan of a drain that is asked for ends within the
// grace, and that of a signal within the window.
func TestDrainPlans(t *testing.T) {
	for _, c := range []struct {
		env  []string
		hold string // the latest release, from the beginning
	}{
		{nil, "5s"},
		{[]string{"RELAY_GRACE_PERIOD=90s"}, "1m5s"},
		{[]string{"RELAY_GRACE_PERIOD=30s"}, "5s"},
		{[]string{"RELAY_DRAIN_WINDOW=10s"}, "15s"},
		{[]string{"RELAY_DRAIN_WINDOW=0s", "RELAY_DRAIN_DELAY=0s"}, "25s"},
		{[]string{"RELAY_DRAIN_WINDOW=10m"}, "5s"},
	} {
		cfg := settings(t, c.env)
		asked := askedPlan(cfg)
		if latest := max(asked.Delay, asked.Hold).String(); latest != c.hold {
			t.Errorf("%v: released after %s at the latest, want %s", c.env, latest, c.hold)
		}
		if asked.Window != cfg.DrainWindow || asked.Brisk {
			t.Errorf("%v: %+v", c.env, asked)
		}
		told := toldPlan(cfg)
		if told.Delay != 0 || told.Hold != 0 || told.Patience < 0 || told.Window+told.Patience > max(cfg.DrainWindow-2*stopPatience, stopPatience) {
			t.Errorf("%v: with a signal %+v", c.env, told)
		}
	}
}

func settings(t *testing.T, env []string) *config.Config {
	t.Helper()
	cfg, err := config.Load(nil, env, func(string) ([]byte, error) { return nil, errors.ErrUnsupported })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
