// Package bench runs `relay bench` as its users do.
package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"relay/bench"
	"relay/tests/redistest"
	"relay/tests/relaytest"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// run runs `relay bench` and returns its report.
func run(t *testing.T, args ...string) *bench.Report {
	t.Helper()
	r, err := relaytest.Bench(t.Context(), relaytest.Binary(t), args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// check holds every run to what does not depend on how fast the machine is.
func check(t *testing.T, r *bench.Report) {
	t.Helper()
	if len(r.Flaws()) > 0 {
		t.Errorf("not everything arrived: %+v", r.Flaws()[0].Checks)
	}
	for _, s := range r.Scenarios {
		if len(s.Runs) == 0 {
			t.Errorf("%s has no runs", s.Scenario)
		}
		for _, run := range s.Runs {
			if run.Checks.Deliveries != run.Checks.Expected {
				t.Errorf("%s, %s: %d deliveries of %d", s.Scenario, run.Target, run.Checks.Deliveries, run.Checks.Expected)
			}
			for name := range run.Values {
				if !explained(r, name) {
					t.Errorf("%s has a value %q that is not explained", s.Scenario, name)
				}
			}
		}
	}
}

func explained(r *bench.Report, name string) bool {
	for _, q := range r.Quantities {
		if q.Name == name {
			return true
		}
	}
	return false
}

// values returns the values of a target's first run.
func values(t *testing.T, r *bench.Report, scenario, target string) map[string]float64 {
	t.Helper()
	for _, s := range r.Scenarios {
		for _, run := range s.Runs {
			if s.Scenario == scenario && run.Target == target {
				return run.Values
			}
		}
	}
	t.Fatalf("%s was not run against the %s", scenario, target)
	return nil
}

func TestEveryScenario(t *testing.T) {
	r := run(t, "fanout", "channels", "storm", "idle", "publish", "--clients=50", "--duration=300ms", "--runs=1", "--publishers=2")
	check(t, r)
	if r.Schema != bench.SchemaVersion || !r.Relay.StartedHere || !strings.Contains(r.Relay.Bus, "in-process") {
		t.Errorf("schema %d, relay %+v", r.Schema, r.Relay)
	}
	for _, c := range []struct {
		scenario, target string
		names            string
	}{
		{"fanout", "relay", "cpu_per_delivery deliveries_per_s latency_p99 generator_busy"},
		{"fanout", "floor", "cpu_per_delivery deliveries_per_s latency_p99 generator_busy"},
		{"channels", "relay", "cpu_per_event events_per_s latency_p99 post_p99"},
		{"channels", "floor", "cpu_per_event events_per_s latency_p99 post_p99"},
		{"storm", "relay", "cpu_per_connection connections_per_s connect_p99"},
		{"storm", "floor", "cpu_per_connection connections_per_s connect_p99"},
		{"idle", "relay", "memory goroutines live_per_connection"},
		{"idle", "floor", "memory"},
		{"publish", "relay", "cpu_per_event events_per_s post_p99"},
		{"publish", "no-op handler", "cpu_per_event events_per_s post_p99"},
	} {
		got := values(t, r, c.scenario, c.target)
		for name := range strings.FieldsSeq(c.names) {
			if got[name] <= 0 {
				t.Errorf("%s, %s: %s is %v", c.scenario, c.target, name, got[name])
			}
		}
	}
}

// With compression a relay is compared with itself, and the report shows that
// the events came compressed.
func TestCompression(t *testing.T) {
	r := run(t, "fanout", "--compress", "--clients=20", "--duration=300ms", "--runs=2", "--publishers=2")
	check(t, r)
	result := r.Scenarios[0]
	if strings.Join(result.Targets, ", ") != "relay, uncompressed relay" || result.Parameters["size"] != 1024.0 || result.Parameters["compress"] != true {
		t.Errorf("%v, %v", result.Targets, result.Parameters)
	}
	with, without := values(t, r, "fanout", "relay"), values(t, r, "fanout", "uncompressed relay")
	if with["compressed"] != 100 || without["compressed"] != 0 || without["bytes_per_delivery"] < 1024 {
		t.Errorf("with %v, without %v", with, without)
	}
	if ratio := result.Ratios["bytes_per_delivery"].Median; ratio <= 0 || ratio > 0.8 {
		t.Errorf("%.2f of the bytes", ratio)
	}
	if result.Ratios["cpu_per_delivery"].Median <= 0 || with["generator_busy"] <= 0 {
		t.Errorf("ratios %v, values %v", result.Ratios, with)
	}
}

// A search ends, and says of every rate what came of it.
func TestSaturation(t *testing.T) {
	r := run(t, "saturation", "--clients=5", "--duration=100ms", "--runs=1", "--no-floor", "--bound=1h", "--publishers=1", "--rate=3000")
	check(t, r)
	curve := r.Scenarios[0].Runs[0].Curve
	if len(curve) < 3 || !curve[0].Sustained && curve[0].Why == "" {
		t.Errorf("%d steps: %+v", len(curve), curve)
	}
}

// A relay that runs already, here one with keys and tokens and Redis behind it,
// is measured as well as one that was started.
func TestRunningRelay(t *testing.T) {
	redis := redistest.Start(t)
	relay := relaytest.Start(t, "RELAY_REDIS_URL="+redis.URL(), "RELAY_API_KEYS=key")
	page := filepath.Join(t.TempDir(), "report.html")
	for _, transport := range []string{"ws", "sse"} {
		r := run(t, "fanout", "--url="+relay.PublicURL, "--api-url="+relay.APIURL, "--ops-url="+relay.OpsURL, "--api-key=key",
			"--clients=40", "--rate=20", "--batch=3", "--duration=500ms", "--runs=2", "--transport="+transport, "--html="+page)
		check(t, r)
		if r.Relay.StartedHere || strings.Contains(r.Command, "--api-key=key") {
			t.Errorf("%+v, command %s", r.Relay, r.Command)
		}
		for _, run := range r.Scenarios[0].Runs {
			if run.Target != "relay" || run.Checks.Events == 0 || run.Checks.Events%3 != 0 || run.Checks.Deliveries != 40*run.Checks.Events {
				t.Errorf("%s: %+v", run.Target, run.Checks)
			}
			// Without a process ID, CPU time comes from the metrics.
			if run.Values["cpu_per_delivery"] <= 0 {
				t.Errorf("CPU per delivery is %v", run.Values["cpu_per_delivery"])
			}
		}
	}
}

func TestWritesThePage(t *testing.T) {
	dir := t.TempDir()
	page, results := filepath.Join(dir, "report.html"), filepath.Join(dir, "results.json")
	cmd := exec.CommandContext(t.Context(), relaytest.Binary(t), "bench", "storm", "--clients=5", "--runs=1", "--html="+page, "--json="+results)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"storm: run 1 of 1, relay", "CPU per connection made", "5 WebSocket clients"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	for _, path := range []string{page, results} {
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "cpu_per_connection") {
			t.Errorf("%s: %v, %.100s", path, err, text)
		}
	}
}
