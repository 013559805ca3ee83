// Package clients runs stock clients from npm and Python's world, unmodified,
// against a real relay.
package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"relay/tests/redistest"
	"relay/tests/relaytest"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// python finds the python3 that has the module websocket: Debian's package
// installs it for Debian's python3, which need not be the first in PATH.
func python(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(path, "-c", "import websocket").Run() == nil {
			return path
		}
	}
	t.Fatal("no python3 has the module websocket; `make setup` installs it")
	return ""
}

func TestStockClients(t *testing.T) {
	redis := redistest.Start(t)
	r := relaytest.Start(t, "RELAY_REDIS_URL="+redis.URL())
	relaytest.Eventually(t, "the relay to be ready", func() bool {
		return relaytest.Do(t, "GET", r.OpsURL+"/readyz", "").Status == 200
	})
	socket := "ws" + strings.TrimPrefix(r.PublicURL, "http") + "/v1/ws?channel=a"
	const events = 50
	type follower struct {
		name string
		cmd  *exec.Cmd
		out  *bufio.Scanner
	}
	var followers []follower
	for name, command := range map[string][]string{
		"npm ws":                  {"node", "../node/websocket.mjs", socket},
		"npm eventsource":         {"node", "../node/eventsource.mjs", r.PublicURL + "/v1/sse?channel=a"},
		"Python websocket-client": {python(t), "websocket_client.py", socket},
	} {
		cmd := exec.Command(command[0], append(command[1:], strconv.Itoa(events))...)
		cmd.Stderr = os.Stderr
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		f := follower{name, cmd, bufio.NewScanner(pipe)}
		for _, kind := range []string{"welcome", "subscribed"} {
			if !f.out.Scan() || !strings.Contains(f.out.Text(), kind) {
				t.Fatalf("%s: got %q, want a frame of type %s", name, f.out.Text(), kind)
			}
		}
		followers = append(followers, f)
	}
	// The first half with the API, the second with a stock Redis client.
	for n := range events / 2 {
		r.Publish(t, fmt.Sprintf(`{"channel":"a","event":"n","data":%d}`, n))
	}
	out, err := exec.Command("node", "../node/publish.mjs", redis.URL(), "a", strconv.Itoa(events/2)).CombinedOutput()
	if err != nil {
		t.Fatalf("ioredis: %v\n%s", err, out)
	}
	for _, f := range followers {
		for n := range events {
			if !f.out.Scan() {
				t.Fatalf("%s ended after %d events: %v", f.name, n, f.out.Err())
			}
			var frame struct {
				ID   string
				Data int
			}
			if err := json.Unmarshal(f.out.Bytes(), &frame); err != nil {
				t.Fatalf("%s: %v: %s", f.name, err, f.out.Text())
			}
			if frame.Data != n%(events/2) || (frame.ID == "") != (n >= events/2) {
				t.Fatalf("%s: event %d is %s", f.name, n, f.out.Text())
			}
		}
		if err := f.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

func TestRedisCLI(t *testing.T) {
	redis := redistest.Start(t)
	r := relaytest.Start(t, "RELAY_REDIS_URL="+redis.URL())
	c := r.WebSocket(t, "channel=demo")
	relaytest.Welcome(t, c, 1)
	_, port, _ := strings.Cut(redis.Addr, ":")
	out, err := exec.Command("redis-cli", "-p", port, "PUBLISH", "relay:demo", `{"event":"greeting","data":{"hello":"redis"}}`).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "1" {
		t.Fatalf("redis-cli: %v\n%s", err, out)
	}
	if f := relaytest.Expect(t, c, "event"); f.Event != "greeting" || string(f.Data) != `{"hello":"redis"}` || f.ID != "" {
		t.Errorf("%+v %s", f, f.Data)
	}
}
