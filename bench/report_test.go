package bench

import (
	"strings"
	"testing"
	"time"

	"relay/bench/measure"
)

func trial(target string, number int, values map[string]float64, latencies ...time.Duration) Trial {
	t := Trial{Target: target, Number: number, Values: values, latency: new(measure.Histogram)}
	for _, d := range latencies {
		t.latency.Add(d)
	}
	return t
}

func TestSumUp(t *testing.T) {
	r := Result{Targets: []string{relayName, floorName}, Runs: []Trial{
		trial(relayName, 1, map[string]float64{cpuPerDelivery: 10, generatorBusy: 20}, time.Millisecond),
		trial(floorName, 1, map[string]float64{cpuPerDelivery: 5, generatorBusy: 20}),
		trial(relayName, 2, map[string]float64{cpuPerDelivery: 40, generatorBusy: 99}, 3*time.Millisecond),
		trial(floorName, 2, map[string]float64{cpuPerDelivery: 10, generatorBusy: 30}),
		trial(relayName, 3, map[string]float64{cpuPerDelivery: 12, generatorBusy: 90}),
		trial(floorName, 3, map[string]float64{cpuPerDelivery: 4, generatorBusy: 30}),
	}}
	r.sumUp()
	if got := r.Summary[relayName][cpuPerDelivery]; got != (measure.Spread{Median: 12, Min: 10, Max: 40}) {
		t.Errorf("summary %+v", got)
	}
	// Run by run: 2, 4, 3; not the ratio of the medians, 12 by 5.
	if got := r.Ratios[cpuPerDelivery]; got != (measure.Spread{Median: 3, Min: 2, Max: 4}) {
		t.Errorf("ratio %+v", got)
	}
	if _, ok := r.Ratios[generatorBusy]; ok {
		t.Error("the load tester is compared with itself")
	}
	last := r.Latency[relayName][len(r.Latency[relayName])-1]
	if last != (Percentile{100, 3}) || r.Latency[floorName] != nil {
		t.Errorf("latency %+v, %+v", last, r.Latency[floorName])
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "was the bottleneck: its busiest reader used 90 % of a core for the relay.") {
		t.Errorf("notes: %s", notes)
	}
}

func TestNotes(t *testing.T) {
	calm := Result{Targets: []string{relayName}, Runs: []Trial{
		trial(relayName, 1, map[string]float64{generatorBusy: 20, latencyP50: 5, generatorLate: 0.3, machineBusy: 50}),
	}}
	calm.sumUp()
	if len(calm.Notes) != 1 || !strings.Contains(calm.Notes[0], "was not the bottleneck") {
		t.Errorf("notes: %q", calm.Notes)
	}
	lossy := trial(relayName, 1, map[string]float64{generatorLate: 30, machineBusy: 99.5})
	lossy.Checks.Lost, lossy.Checks.Strangers = 3, 1
	lossy.Checks.Ended = map[string]int{"too slow": 2}
	bad := Result{Targets: []string{relayName}, Runs: []Trial{lossy}}
	bad.sumUp()
	notes := strings.Join(bad.Notes, "\n")
	for _, want := range []string{"3 lost, 0 twice, 0 out of order, 1 to the wrong client", "2 clients of the relay lost their connection: too slow", "30.0 ms late", "no core to spare"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q:\n%s", want, notes)
		}
	}
	report := Report{Scenarios: []Result{calm, bad}}
	if flaws := report.Flaws(); len(flaws) != 1 || flaws[0].Checks.Lost != 3 {
		t.Errorf("%d flaws", len(flaws))
	}
}

func TestEveryQuantityIsExplained(t *testing.T) {
	seen := make(map[string]bool)
	for _, q := range quantities {
		if q.Label == "" || seen[q.Name] {
			t.Errorf("%q: label %q", q.Name, q.Label)
		}
		seen[q.Name] = true
	}
	for _, s := range Scenarios() {
		if s.Summary == "" || s.cases == 0 || s.run == nil {
			t.Errorf("scenario %+v", s)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, s := range Scenarios() {
		o, err := Options{}.complete(s)
		if err != nil {
			t.Errorf("%s: its own numbers will not do: %v", s.Name, err)
		}
		if o.Runs == 0 || o.Duration == 0 || o.Size == 0 || o.Publishers == 0 {
			t.Errorf("%s: %+v", s.Name, o)
		}
	}
	scenario, _ := findScenario("fanout")
	for _, o := range []Options{
		{Clients: -1}, {Clients: 1 << 30}, {Rate: -1}, {Batch: 1001}, {Size: 10}, {Publishers: 10_000}, {Runs: -1},
		{Duration: -1}, {Transport: "poll"}, {Transport: "sse", Compress: true}, {Relay: RelayAddress{PublicURL: "localhost"}},
	} {
		if _, err := o.complete(scenario); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if _, err := plan(Options{Scenarios: []string{"fanout", "spin"}}); err == nil {
		t.Error("a scenario that does not exist was planned")
	}
}

// Where nobody listens nothing is compressed, and all else is as ever.
func TestCompressionNeedsClients(t *testing.T) {
	plans, err := plan(Options{Scenarios: []string{"fanout", "publish"}, Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	with, without := plans[0].options, plans[1].options
	if !with.hasTwin() || with.hasFloor() || with.Size != 1024 || without.hasTwin() || without.Size != 128 {
		t.Errorf("%+v and %+v", with, without)
	}
}

func TestProgressGoesFromNothingToAll(t *testing.T) {
	var told []Progress
	plans, err := plan(Options{Scenarios: []string{"publish"}, Runs: 2, NoFloor: true})
	if err != nil {
		t.Fatal(err)
	}
	p := newProgress(func(at Progress) { told = append(told, at) }, plans)
	if o := plans[0].options; o.targets() != 1 {
		t.Errorf("%d targets without a floor", o.targets())
	}
	for range 2 * len(publishCases) {
		p.begin("x")
		p.at(0.5)
		p.at(7)
		p.end()
	}
	for i := 1; i < len(told); i++ {
		if told[i].Done < told[i-1].Done {
			t.Errorf("it went from %v back to %v", told[i-1].Done, told[i].Done)
		}
	}
	if told[0].Done != 0 || told[len(told)-1].Done != 1 {
		t.Errorf("from %v to %v", told[0].Done, told[len(told)-1].Done)
	}
}
