// Package examples runs the publishers in examples/publish, each with its own
// language, against a real relay.
package examples

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"relay/tests/redistest"
	"relay/tests/relaytest"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// publishers are the commands that examples/README.md gives, without arguments.
var publishers = map[string][]string{
	"curl":   {"sh", "publish.sh"},
	"Python": {"python3", "publish.py"},
	"Node":   {"node", "publish.mjs"},
	"PHP":    {"php", "publish.php"},
	"Java":   {"java", "Publish.java"},
	"Go":     {"go", "run", "publish.go"},
}

const dir = "../../examples/publish"

func publish(t *testing.T, command []string, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(command[0], append(command[1:], args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPublishers(t *testing.T) {
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(publishers) {
		t.Errorf("%d files in examples/publish, %d are run", len(files), len(publishers))
	}
	r := relaytest.Start(t, "RELAY_API_KEYS=first,second")
	for name, command := range publishers {
		t.Run(name, func(t *testing.T) {
			env := []string{"RELAY_API_URL=" + r.APIURL, "RELAY_API_KEY=second"}
			c := r.WebSocket(t, "channel="+name+"&channel=demo")
			relaytest.Welcome(t, c, 2)

			out, err := publish(t, command, env, name, `{"text":"größer \"than\" <1>","n":[1,null]}`)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			f := relaytest.Expect(t, c, "event")
			if f.Channel != name || strings.TrimSpace(out) != f.ID {
				t.Errorf("printed %q; the event is %+v", out, f)
			}
			var got struct {
				Text string
				N    [2]*int
			}
			if err := json.Unmarshal(f.Data, &got); err != nil || got.Text != `größer "than" <1>` || got.N[0] == nil || *got.N[0] != 1 || got.N[1] != nil {
				t.Errorf("the data came as %s", f.Data)
			}

			if out, err := publish(t, command, env); err != nil {
				t.Errorf("without arguments: %v\n%s", err, out)
			}
			if f := relaytest.Expect(t, c, "event"); f.Channel != "demo" || !strings.Contains(string(f.Data), "hello") {
				t.Errorf("without arguments: %+v %s", f, f.Data)
			}

			out, err = publish(t, command, env, "bad*name", `1`)
			if err == nil || !strings.Contains(out, "channel") {
				t.Errorf("a bad channel: %v\n%s", err, out)
			}
			out, err = publish(t, command, []string{env[0], "RELAY_API_KEY=wrong"}, name, `1`)
			if err == nil || !strings.Contains(strings.ToLower(out), "key") {
				t.Errorf("a wrong key: %v\n%s", err, out)
			}
		})
	}
}

// Redis is away for a moment: the example waits, tries again with the same
// key, and the event is published once.
func TestPublishersRetry(t *testing.T) {
	redis := redistest.Start(t)
	r := relaytest.Start(t, "RELAY_REDIS_URL="+redis.URL())
	relaytest.Eventually(t, "the relay to be ready", func() bool {
		return relaytest.Do(t, "GET", r.OpsURL+"/readyz", "").Status == 200
	})
	redis.Stop()
	type outcome struct {
		name, out string
		err       error
	}
	outcomes := make(chan outcome)
	for name, command := range publishers {
		go func() {
			out, err := publish(t, command, []string{"RELAY_API_URL=" + r.APIURL}, name, `1`)
			outcomes <- outcome{name, out, err}
		}()
	}
	relaytest.Eventually(t, "some of them to be turned away", func() bool {
		metrics := relaytest.Do(t, "GET", r.OpsURL+"/metrics", "").Body
		for line := range strings.SplitSeq(metrics, "\n") {
			if strings.HasPrefix(line, `relay_api_refused_total{code="unavailable"}`) {
				n, err := strconv.Atoi(strings.Fields(line)[1])
				return err == nil && n >= 3
			}
		}
		return false
	})
	redis.Restart()
	for range publishers {
		if o := <-outcomes; o.err != nil || !strings.Contains(o.out, "-1-") {
			t.Errorf("%s: %v\n%s", o.name, o.err, o.out)
		}
	}
}
