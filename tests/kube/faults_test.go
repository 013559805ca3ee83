//go:build kube

package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"relay/tests/relaytest"
)

// TestRedisOutage: without Redis the app's pods stay in service, and publishing
// says 503; a strict relay leaves service. With Redis back all is as before,
// and nobody has missed anything.
func TestRedisOutage(t *testing.T) {
	n := newNamespace(t)
	// On disk before it answers: what was acknowledged has to be there afterwards.
	redis := n.redis("--appendonly", "yes", "--appendfsync", "always", "--dir", t.TempDir())
	n.apiSecret()
	n.deploy(app{Replicas: 2, Grace: 30})
	n.install("strict", "config.ready_strict=true", "fullnameOverride=strict", "api.enabled=false")
	before := n.staying("app=app")
	a := n.gatherApp(small)

	redis.Stop()
	// It is asked as often as the app's relays, so by then those were too.
	n.await("no strict relay is ready without Redis", func() string {
		for _, p := range n.staying("app.kubernetes.io/instance=strict") {
			if p.ready() {
				return p.Metadata.Name + " is"
			}
		}
		return ""
	})
	answer := relaytest.Do(t, http.MethodPost, "http://"+n.address("app", 80)+"/v1/events", `{"channel":"other","event":"e","data":1}`)
	if answer.Status != http.StatusServiceUnavailable {
		t.Errorf("without Redis a publish was answered %d %s", answer.Status, answer.Body)
	}
	redis.Restart()
	n.rolledOut("strict")
	a.end()
	for _, was := range before {
		if err := n.stayedReady(was); err != "" {
			t.Error(err)
		}
	}
}

// stayedReady says what has happened to a pod's readiness since, or "".
func (n *namespace) stayedReady(was pod) string {
	for _, p := range n.pods("app=app") {
		if isAmong(p, []pod{was}) && p.readiness() == was.readiness() {
			return ""
		}
	}
	return fmt.Sprintf("%s has not been ready all the time since %s", was.Metadata.Name, was.readiness().LastTransitionTime)
}

// TestEviction: pods are evicted, as an upgrade of nodes does, one at a time as
// the budget has it, and nobody misses anything.
func TestEviction(t *testing.T) {
	n := newNamespace(t)
	n.redis()
	n.deploy(app{Replicas: 3, Grace: 60})
	a := n.gatherApp(small)
	pods := n.staying("app=app")
	if out, err := n.evict(pods[0]); err != nil {
		t.Fatalf("%s: %s", pods[0].Metadata.Name, out)
	}
	if out, err := n.evict(pods[1]); err == nil || !strings.Contains(out, "disruption budget") {
		t.Errorf("with one pod gone the next was evicted too: %v %s", err, out)
	}
	n.await("the budget allows the next eviction", func() string {
		out, err := n.evict(pods[1])
		if err == nil {
			return ""
		}
		return out
	})
	n.await("both pods have left", func() string {
		for _, p := range n.pods("app=app") {
			if isAmong(p, pods[:2]) {
				return p.Metadata.Name + " is there"
			}
		}
		return ""
	})
	n.rolledOut("app")
	a.end()
}

// evict asks for the eviction of a pod, as `kubectl drain` does.
func (n *namespace) evict(p pod) (string, error) {
	body, err := json.Marshal(map[string]any{
		"apiVersion": "policy/v1", "kind": "Eviction",
		"metadata": map[string]string{"name": p.Metadata.Name, "namespace": n.name},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return n.run(string(body), "create", "--raw", "/api/v1/namespaces/"+n.name+"/pods/"+p.Metadata.Name+"/eviction", "-f", "-")
}

// TestOutOfMemory: a relay that needs more than its limit is killed and started
// again, alone: the app beside it goes on, and the clients come back without a
// loss.
func TestOutOfMemory(t *testing.T) {
	n := newNamespace(t)
	n.redis()
	n.deploy(app{Replicas: 2, Grace: 30}, "--memory-limit", "64Mi", "--memory-request", "32Mi")
	a := n.gatherApp(small)
	victim := n.busiest()
	stop := make(chan struct{})
	defer close(stop)
	// Far more at once than the limit holds.
	for range 40 {
		go hold(victim.Status.PodIP, stop)
	}
	n.await("the relay is killed for its memory, and runs again", func() string {
		for _, p := range n.staying("app=app") {
			relay := p.container("relay")
			if !isAmong(p, []pod{victim}) {
				continue
			}
			victim = p
			switch last := relay.LastState.Terminated; {
			case last == nil:
				return "it has not ended"
			case last.Reason != "OOMKilled":
				n.t.Fatalf("it ended with %+v", *last)
			case !p.ready():
				return "it has ended, and the pod is not ready again"
			}
			return ""
		}
		return "its pod is gone"
	})
	if c := victim.container("app"); c.RestartCount != 0 {
		t.Errorf("the app was restarted %d times", c.RestartCount)
	}
	a.end()
	if a.Tally().Came < int64(small.Clients)+1 {
		t.Error("nobody had to come back: nothing was tested")
	}
}

// busiest is a pod with clients. A Service may lead all of them to one pod, if
// they come before the node knows of the others.
func (n *namespace) busiest() (busiest pod) {
	n.t.Helper()
	most := 0
	for _, p := range n.staying("app=app") {
		if count, _ := connectionsOf(n.t.Context(), p.Status.PodIP); count > most {
			busiest, most = p, count
		}
	}
	if most == 0 {
		n.t.Fatal("no pod has a client")
	}
	return busiest
}

// hold sends the app the most that one request may be, but for its end, so that
// the relay behind it has to keep all of it.
func hold(ip string, stop <-chan struct{}) {
	const size = 8 << 20
	conn, err := net.Dial("tcp", net.JoinHostPort(ip, "3000"))
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: app\r\nContent-Length: %d\r\n\r\n[", size)
	_, _ = io.Copy(conn, strings.NewReader(strings.Repeat(" ", size-2)))
	<-stop
}
