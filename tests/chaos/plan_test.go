package chaos

import (
	"fmt"
	"slices"
	"testing"
)

// TestSeedRepeats: one seed draws one run, another seed another one.
func TestSeedRepeats(t *testing.T) {
	draw := func(seed uint64) string {
		c := Config{Seed: seed}.withDefaults()
		r := &run{config: c, channels: []string{"a", "b", "c"}}
		text := drawShape(c).String()
		p := newPlan(c, relayFaults)
		for i := range 50 {
			text += fmt.Sprint(p.next(), newClient(r, i, true).channels)
		}
		return text
	}
	first, again, other := draw(7), draw(7), draw(8)
	if first != again {
		t.Error("a seed does not repeat")
	}
	if first == other {
		t.Error("two seeds draw the same run")
	}
}

// TestEveryFaultIsDrawn: a kind without a weight would never be tried.
func TestEveryFaultIsDrawn(t *testing.T) {
	var kinds []faultKind
	for _, list := range [][]faultKind{relayFaults, serverFaults, (&standalone{}).faults(), (&sentinel{}).faults(), (&cluster{}).faults()} {
		for _, k := range list {
			if !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	if len(kinds) != len(weights) {
		t.Errorf("%d kinds and %d weights", len(kinds), len(weights))
	}
	p := newPlan(Config{Seed: 1}.withDefaults(), kinds)
	drawn := make(map[faultKind]int)
	for range 5000 {
		drawn[p.next().kind]++
	}
	for _, k := range kinds {
		if drawn[k] == 0 {
			t.Errorf("never drawn: %s", k)
		}
	}
}
