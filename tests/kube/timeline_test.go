package kube

import (
	"strings"
	"testing"
	"time"
)

func TestDraw(t *testing.T) {
	old, young := Pod{"app-1", "one"}, Pod{"app-2", "two"}
	timeline := &Timeline{Pace: 300, Moments: []Moment{
		{At: time.Second, P99: 3 * time.Millisecond, Connections: map[Pod]int{old: 600}},
		{At: 2 * time.Second, Came: 310, Connections: map[Pod]int{old: 290, young: 310}},
		{At: 3 * time.Second, Came: 290, P99: 9 * time.Millisecond, Connections: map[Pod]int{young: 600}},
	}}
	drawing := timeline.Draw()
	// One line for those who came, one for latency, one for each pod.
	if got := strings.Count(drawing, `class="line `); got != 4 {
		t.Errorf("%d lines, want 4:\n%s", got, drawing)
	}
	for _, want := range []string{"as planned", "before", "first rollout"} {
		if !strings.Contains(drawing, want) {
			t.Errorf("there is no %q in it", want)
		}
	}
}

func TestDrawNothing(t *testing.T) {
	if drawing := (&Timeline{}).Draw(); strings.Contains(drawing, "NaN") {
		t.Error(drawing)
	}
}
