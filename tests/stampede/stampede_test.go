package stampede_test

import (
	"context"
	"testing"
	"time"

	"relay/tests/relaytest"
	"relay/tests/stampede"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// TestScenes plays every scene with a small crowd: enough to find out that
// something broke. What it takes thousands to break is found by `make
// stampede`.
func TestScenes(t *testing.T) {
	report, err := stampede.Run(t.Context(), stampede.Config{Clients: 200, DrainWindow: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Violations) > 0 {
		t.Error(report)
	}
	for _, p := range report.Phases[2 : len(report.Phases)-1] { // after arrival and quiet
		if p.Came == 0 || p.Live.Count() == 0 {
			t.Errorf("a scene tested nothing: %v", p)
		}
	}
}

// TestStops: a run that is no longer wanted ends by itself and says so.
func TestStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := stampede.Run(ctx, stampede.Config{Clients: 20, Quiet: time.Hour}); err == nil {
		t.Error("a run that was stopped was judged")
	}
}

func TestUnknownScene(t *testing.T) {
	if _, err := stampede.Run(t.Context(), stampede.Config{Scenes: []string{"rolling"}}); err == nil {
		t.Error("a scene that does not exist was played")
	}
}
