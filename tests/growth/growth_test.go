package growth

import (
	"testing"
	"time"

	"relay/tests/relaytest"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// Everything is measured and drawn; what comes out is not for a test to judge.
func TestRun(t *testing.T) {
	figures, err := Run(t.Context(), Config{
		Clients: []int{5, 10}, Channels: []int{5}, Sizes: []int{64}, Instances: []int{1, 2},
		Runs: 1, Duration: 100 * time.Millisecond, Events: 100, Progress: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) != 4 {
		t.Fatalf("%d figures, want 4", len(figures))
	}
	for _, f := range figures {
		if len(f.Plot.Series) == 0 {
			t.Errorf("%s: nothing is drawn", f.Title)
		}
		for _, s := range f.Plot.Series {
			for _, p := range s.Points {
				if p.Y <= 0 {
					t.Errorf("%s: %s is %v at %v", f.Title, s.Name, p.Y, p.X)
				}
			}
		}
	}
}
