//go:build kube

package kube

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"relay/tests/crowd"
)

const (
	// window is the relays' default drain window.
	window = 20 * time.Second
	// slack is by how much the busiest second may exceed the planned pace.
	slack = 1.3
	// ample is a grace period that covers the rollout of three pods and the
	// window after it.
	ample = 2 * time.Minute
	// starting is how many seconds a new pod is watched before the next old one
	// has to leave: about what an app takes to start.
	starting = 10
	// short is what Kubernetes gives if nobody says otherwise.
	short = 30 * time.Second
)

// TestRollingRestart restarts a Deployment twice under thousands of clients:
// nothing is lost, nobody moves twice, and all come back at the pace at which
// they were released.
func TestRollingRestart(t *testing.T) {
	n := newNamespace(t)
	a := n.full(ample)
	s, stop := n.sample(a)
	var rollouts []rollout
	for range 2 {
		r := n.restart(a)
		rollouts = append(rollouts, r)
		t.Logf("%v", r)
		if most := slack * r.pace(); float64(r.peak) > most {
			t.Errorf("%d clients came in one second, and %.0f were planned: more than %.0f", r.peak, r.pace(), most)
		}
		if twice := r.movedAtLeast(2); twice > 0 {
			t.Errorf("%d clients moved more than once", twice)
		}
		if r.movedAtLeast(1) != a.size {
			t.Errorf("%d of %d clients moved: the others are at pods that are gone", r.movedAtLeast(1), a.size)
		}
	}
	stop()
	a.end()
	n.keep("rollout", s.drawn(float64(a.size)/window.Seconds()), rollouts, ample)
}

// TestRollingRestartInShortGrace does the same with less time than a rollout
// takes. Nothing is lost; how often clients move is told and not judged.
func TestRollingRestartInShortGrace(t *testing.T) {
	n := newNamespace(t)
	a := n.full(short)
	s, stop := n.sample(a)
	r := n.restart(a)
	t.Logf("%v", r)
	stop()
	a.end()
	n.keep("rollout-short", s.drawn(float64(a.size)/window.Seconds()), []rollout{r}, short)
}

// full is the app with three pods and all of its clients.
func (n *namespace) full(grace time.Duration) *audience {
	n.t.Helper()
	config := crowd.Config{Clients: 6000, Channels: 5, Rate: 5, SoloRate: 20}
	if text := setting("CLIENTS"); text != "" {
		var err error
		if config.Clients, err = strconv.Atoi(text); err != nil {
			n.t.Fatalf("KUBE_TEST_CLIENTS: %v", err)
		}
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < uint64(config.Clients)+500 {
		n.t.Fatalf("this process may have %d open files, and %d clients need more; raise the limit (ulimit -n) or set KUBE_TEST_CLIENTS", files.Cur, config.Clients)
	}
	n.redis()
	n.deploy(app{Replicas: 3, MinReady: starting, Grace: int(grace.Seconds())}, "--set", "RELAY_DRAIN_WINDOW="+window.String())
	return n.gatherApp(config)
}

// rollout is what a rolling restart did to the crowd.
type rollout struct {
	took  time.Duration // until the last of the old pods was gone
	tally crowd.Tally
	peak  int64 // most that came within any one second
	// moves counts clients by how often they came back.
	moves map[int]int
}

// restart restarts the Deployment and waits until the old pods are gone, and
// everybody is back and has caught up.
func (n *namespace) restart(a *audience) rollout {
	n.t.Helper()
	old := n.staying("app=app")
	begin, before, visits := time.Now(), a.Tally(), a.Visits()
	n.kubectl("rollout", "restart", "deployment/app")
	n.rolledOut("app")
	// One kubectl that waits, instead of one a second that asks.
	leaving := []string{"wait", "--for=delete", "--timeout=" + patience.String()}
	for _, p := range old {
		leaving = append(leaving, "pod/"+p.Metadata.Name)
	}
	n.kubectl(leaving...)
	r := rollout{took: time.Since(begin), moves: make(map[int]int)}
	a.settle()
	r.tally, r.peak = a.Tally().Minus(before), a.Peak(begin)
	for i, now := range a.Visits() {
		r.moves[now-visits[i]]++
	}
	return r
}

// pace is how many were to come a second: those that came, spread over the
// window.
func (r rollout) pace() float64 { return float64(r.tally.Came) / window.Seconds() }

func (r rollout) movedAtLeast(times int) (clients int) {
	for moved, n := range r.moves {
		if moved >= times {
			clients += n
		}
	}
	return clients
}

func (r rollout) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the old pods were gone after %v\n", r.took.Round(time.Second))
	for _, moved := range slices.Sorted(maps.Keys(r.moves)) {
		fmt.Fprintf(&b, "%d clients came back %d times\n", r.moves[moved], moved)
	}
	fmt.Fprintf(&b, "%d came within one second, where %.0f were planned: %.2f x\n", r.peak, r.pace(), float64(r.peak)/r.pace())
	fmt.Fprintf(&b, "events live %d (p50 %v, p99 %v), after coming back %d (p50 %v, p99 %v)\n",
		r.tally.Live.Count(), r.tally.Live.Quantile(.5), r.tally.Live.Quantile(.99),
		r.tally.Late.Count(), r.tally.Late.Quantile(.5), r.tally.Late.Quantile(.99))
	fmt.Fprintf(&b, "resets %d, publishes repeated %d\n", r.tally.Resets, r.tally.Refused)
	for _, end := range slices.Sorted(maps.Keys(r.tally.Ends)) {
		fmt.Fprintf(&b, "%7d  %s\n", r.tally.Ends[end], end)
	}
	return b.String()
}

// keep writes the graph and the numbers into the folder KUBE_TEST_OUT, if there
// is one.
func (n *namespace) keep(name string, timeline *Timeline, rollouts []rollout, grace time.Duration) {
	n.t.Helper()
	dir := setting("OUT")
	if dir == "" {
		return
	}
	var text strings.Builder
	for i, r := range rollouts {
		fmt.Fprintf(&text, "grace period %v, rollout %d\n%v\n", grace, i+1, r)
	}
	for file, content := range map[string]string{name + ".svg": timeline.Draw(), name + ".txt": text.String()} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			n.t.Error(err)
		}
	}
}
