package chaos_test

import (
	"context"
	"testing"
	"time"

	"relay/tests/chaos"
	"relay/tests/relaytest"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// TestSeeds runs a seed for each shape of Redis for a few seconds: enough to
// find out that something broke. What breaks rarely is found by `make chaos`.
func TestSeeds(t *testing.T) {
	for seed, store := range map[uint64]chaos.Store{1: chaos.Standalone, 2: chaos.Sentinel, 3: chaos.Cluster} {
		t.Run(string(store), func(t *testing.T) {
			t.Parallel()
			report, err := chaos.Run(t.Context(), chaos.Config{
				Seed: seed, Store: store, Duration: 10 * time.Second, Relays: 2, Clients: 12, Patience: 3 * time.Minute,
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Violations) > 0 {
				t.Error(report)
			}
			if report.Acknowledged == 0 || report.Events == 0 || report.Resumes == 0 || len(report.Faults) == 0 {
				t.Errorf("the run tested nothing:\n%v", report)
			}
		})
	}
}

// TestStops: a run that is no longer wanted ends by itself and says so.
func TestStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := chaos.Run(ctx, chaos.Config{Seed: 1, Duration: time.Hour, Relays: 1, Clients: 2}); err == nil {
		t.Error("a run that was stopped was judged")
	}
}
