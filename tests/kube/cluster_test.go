//go:build kube

package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	// patience is how long a test waits for something that the cluster should
	// do at once; a node may be slow.
	patience = 3 * time.Minute
	// look is how often it looks. Each time costs a kubectl, which counts where
	// the crowd, the relays and the cluster share a machine.
	look = time.Second
)

// namespace is one test's part of the cluster.
type namespace struct {
	t    *testing.T
	name string
}

// newNamespace makes a namespace that is removed when the test ends. What its
// pods say is logged first, if the test failed.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	n := &namespace{t, fmt.Sprintf("relay-test-%08x", rand.Uint32())}
	n.kubectl("create", "namespace", n.name)
	t.Cleanup(func() {
		if t.Failed() {
			n.tell()
		}
		// Nobody is left whom they would have to release.
		_, _ = n.run("", "delete", "pods", "--all", "--grace-period=1", "--wait=false")
		if out, err := n.run("", "delete", "namespace", n.name, "--timeout=3m"); err != nil {
			t.Errorf("%s stays: %s", n.name, out)
		}
	})
	return n
}

// tell logs what is known of the namespace.
func (n *namespace) tell() {
	for _, args := range [][]string{
		{"get", "all", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	} {
		out, _ := n.run("", args...)
		n.t.Logf("kubectl %s:\n%s", strings.Join(args, " "), out)
	}
	for _, p := range n.pods("") {
		out, _ := n.run("", "logs", p.Metadata.Name, "--all-containers", "--prefix", "--tail=25")
		n.t.Logf("%s", out)
	}
}

// kubectl runs kubectl in the namespace and fails the test with what it says.
func (n *namespace) kubectl(args ...string) string {
	n.t.Helper()
	return n.feed("", args...)
}

// feed is kubectl with something on its standard input.
func (n *namespace) feed(input string, args ...string) string {
	n.t.Helper()
	out, err := n.run(input, args...)
	if err != nil {
		n.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// run is feed for commands that may fail.
func (n *namespace) run(input string, args ...string) (string, error) {
	return command(input, "kubectl", append([]string{"--namespace", n.name}, args...)...)
}

// command runs a program that must end by itself. What it writes to standard
// error is part of the output only if it fails.
func command(input, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}

// get reads an object, or a list of them, into a value.
func (n *namespace) get(into any, args ...string) {
	n.t.Helper()
	out := n.kubectl(append(append([]string{"get"}, args...), "-o", "json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		n.t.Fatalf("kubectl get %v: %v", args, err)
	}
}

// address is the one by which a Service is reached from anywhere in the cluster.
func (n *namespace) address(service string, port int) string {
	n.t.Helper()
	return fmt.Sprintf("%s:%d", n.kubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}"), port)
}

// rolledOut waits until a Deployment is as it should be.
func (n *namespace) rolledOut(deployment string) {
	n.t.Helper()
	n.kubectl("rollout", "status", "deployment/"+deployment, "--timeout="+patience.String())
}

// await waits until there is nothing that is not yet as it should be.
func (n *namespace) await(what string, missing func() string) {
	n.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		m := missing()
		if m == "" {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("waited %v for this: %s. But %s", patience, what, m)
		}
		time.Sleep(look)
	}
}

// pod is what the tests look at.
type pod struct {
	Metadata struct {
		Name, UID, DeletionTimestamp string
		Labels                       map[string]string
	}
	Status struct {
		Phase, PodIP                             string
		Conditions                               []condition
		InitContainerStatuses, ContainerStatuses []containerStatus
	}
}

type condition struct{ Type, Status, LastTransitionTime string }

type containerStatus struct {
	Name           string
	Ready, Started bool
	RestartCount   int
	State          struct {
		Waiting *struct{ Reason, Message string }
		Running *struct{ StartedAt string }
	}
	LastState struct {
		Terminated *struct {
			Reason   string
			ExitCode int
		}
	}
}

// pods are those that a selector takes, or all.
func (n *namespace) pods(selector string) []pod {
	n.t.Helper()
	var list struct{ Items []pod }
	n.get(&list, "pods", "-l", selector)
	return list.Items
}

// staying are the pods that nobody has told to leave.
func (n *namespace) staying(selector string) []pod {
	n.t.Helper()
	var staying []pod
	for _, p := range n.pods(selector) {
		if p.Metadata.DeletionTimestamp == "" {
			staying = append(staying, p)
		}
	}
	return staying
}

// container returns what is known of a pod's container of either kind.
func (p pod) container(name string) containerStatus {
	for _, list := range [][]containerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, c := range list {
			if c.Name == name {
				return c
			}
		}
	}
	return containerStatus{}
}

func (p pod) readiness() condition {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c
		}
	}
	return condition{}
}

func (p pod) ready() bool { return p.readiness().Status == "True" }

// setting is an environment variable of the tests.
func setting(name string) string { return os.Getenv("KUBE_TEST_" + name) }
