//go:build kube

package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"relay/tests/relaytest"
)

// TestChartRefuses: values that cannot work are refused before anything is
// made, with a sentence that names what is wrong.
func TestChartRefuses(t *testing.T) {
	n := newNamespace(t)
	for name, c := range map[string]struct {
		values []string
		want   string
	}{
		"a key that does not exist":    {[]string{"replica=3"}, "replica"},
		"a typo further down":          {[]string{"drain.windowsSeconds=3"}, "windowsSeconds"},
		"a window beyond the grace":    {[]string{"drain.windowSeconds=60", "terminationGracePeriodSeconds=30"}, "the drain needs"},
		"several relays, and no Redis": {[]string{"secrets.redisUrl.name="}, "no Redis to join them"},
	} {
		out, err := n.tryHelm(append([]string{"install", "relay", chart}, n.values(c.values...)...)...)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: got %v, want a sentence with %q:\n%s", name, err, c.want, out)
		}
	}
	if made := n.kubectl("get", "deployments,services,secrets", "-o", "name"); made != "" {
		t.Errorf("something was made all the same: %s", made)
	}
}

// TestInjectRefuses: the same of `relay inject`.
func TestInjectRefuses(t *testing.T) {
	n := newNamespace(t)
	for name, c := range map[string]struct{ set, want string }{
		"a window beyond the grace":     {"RELAY_DRAIN_WINDOW=60s", "Kubernetes kills the pod after 30s"},
		"a setting that does not exist": {"RELAY_DRAIN_WINDOWS=3s", "did you mean RELAY_DRAIN_WINDOW?"},
		"a secret that all could read":  {"RELAY_JWT_SECRET=" + strings.Repeat("x", 32), "--secret RELAY_JWT_SECRET"},
		"a setting that is no duration": {"RELAY_DRAIN_WINDOW=soon", "RELAY_DRAIN_WINDOW"},
	} {
		out, err := n.tryInject(n.appManifest(app{Replicas: 3, Grace: 30}), "--set", c.set)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: got %v, want a sentence with %q:\n%s", name, err, c.want, out)
		}
	}
}

// mistake is one that nothing saw before it reached the cluster.
type mistake struct {
	name string
	env  variable
	// found says what a new pod still has to show, or "".
	found func(n *namespace, p pod) string
}

// variable is an environment variable of a container.
type variable struct {
	Name      string `json:"name"`
	Value     string `json:"value,omitempty"`
	ValueFrom any    `json:"valueFrom,omitempty"`
}

var mistakes = []mistake{
	{
		name: "a window longer than the grace period",
		env:  variable{Name: "RELAY_DRAIN_WINDOW", Value: "90s"},
		found: func(n *namespace, p pod) string {
			last := p.container("relay").LastState.Terminated
			if last == nil || last.ExitCode == 0 {
				return "the relay has not ended with an error"
			}
			// The kubelet may just be removing the log of the one before.
			log, _ := n.run("", "logs", p.Metadata.Name, "-c", "relay", "--previous")
			return lacks(log, "RELAY_GRACE_PERIOD", "the pod would be killed before its clients are released")
		},
	},
	{
		name: "a Secret that does not exist",
		env: variable{Name: "RELAY_JWT_SECRET", ValueFrom: map[string]any{
			"secretKeyRef": map[string]any{"name": "forgotten", "key": "jwt-secret"},
		}},
		found: func(_ *namespace, p pod) string {
			waiting := p.container("relay").State.Waiting
			if waiting == nil {
				return "the relay does not wait"
			}
			return lacks(waiting.Reason+": "+waiting.Message, "CreateContainerConfigError", "forgotten")
		},
	},
	{
		name: "a Redis that is not there",
		env:  variable{Name: "RELAY_REDIS_URL", Value: "redis://127.0.0.1:1"},
		found: func(_ *namespace, p pod) string {
			if !p.container("relay").Started || p.ready() {
				return "the relay has not started, or is ready"
			}
			a, err := relaytest.TryDo(http.MethodGet, "http://"+p.Status.PodIP+":8082/readyz", "")
			if err != nil {
				return err.Error()
			}
			return lacks(fmt.Sprintf("%d %s", a.Status, a.Body), "503", "127.0.0.1:1")
		},
	},
}

// lacks says which words a text does not have.
func lacks(text string, words ...string) string {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return fmt.Sprintf("%q is not in: %s", w, text)
		}
	}
	return ""
}

// TestMistakesStopTheRollout: a pod with a mistake in it says what is wrong and
// never becomes ready, so the rollout stops there, and the crowd stays with the
// pods from before and notices nothing.
func TestMistakesStopTheRollout(t *testing.T) {
	n := newNamespace(t)
	n.redis()
	n.deploy(app{Replicas: 2, Grace: 45})
	before := n.staying("app=app")
	a := n.gatherApp(small)
	came := a.Tally().Came
	for _, m := range mistakes {
		n.setVariable("app", m.env)
		n.await(m.name+" shows in the new pod", func() string {
			for _, p := range n.staying("app=app") {
				if !isAmong(p, before) {
					return m.found(n, p)
				}
			}
			return "there is no new pod"
		})
		a.settle()
		n.kubectl("rollout", "undo", "deployment/app")
		n.rolledOut("app")
	}
	a.end()
	if again := a.Tally().Came - came; again != 0 {
		t.Errorf("%d clients had to come back", again)
	}
	for _, p := range before {
		if !isAmong(p, n.staying("app=app")) {
			t.Errorf("%s is gone", p.Metadata.Name)
		}
	}
}

// setVariable sets a variable of the relay, by hand, past `relay inject`.
func (n *namespace) setVariable(deployment string, v variable) {
	n.t.Helper()
	// A variable of the same name has to go as a whole: one with a value may not
	// also come from elsewhere.
	var d struct {
		Spec struct {
			Template struct {
				Spec struct {
					InitContainers []struct {
						Env []map[string]any
					}
				}
			}
		}
	}
	n.get(&d, "deployment", deployment)
	operation := map[string]any{"op": "add", "path": "/spec/template/spec/initContainers/0/env/-", "value": v}
	for i, e := range d.Spec.Template.Spec.InitContainers[0].Env {
		if e["name"] == v.Name {
			operation = map[string]any{"op": "replace", "path": fmt.Sprintf("/spec/template/spec/initContainers/0/env/%d", i), "value": v}
		}
	}
	patch, err := json.Marshal([]any{operation})
	if err != nil {
		n.t.Fatal(err)
	}
	n.kubectl("patch", "deployment", deployment, "--type=json", "-p", string(patch))
}

func isAmong(p pod, pods []pod) bool {
	for _, other := range pods {
		if other.Metadata.UID == p.Metadata.UID {
			return true
		}
	}
	return false
}
