package hub

import "testing"

func TestShouldHold(t *testing.T) {
	// Relays of the generations a, b, c; the number is when they were started.
	takes := func(generation string, begun int64) peer { return peer{generation, begun, true} }
	leaves := func(generation string, begun int64) peer { return peer{generation, begun, false} }
	for name, c := range map[string]struct {
		generation string
		peers      []peer
		hold       bool
	}{
		"alone":                             {"a", nil, false},
		"scaling down":                      {"a", []peer{takes("a", 1), takes("a", 2)}, false},
		"the first of a rollout":            {"a", []peer{takes("a", 1), takes("a", 2), takes("b", 9)}, true},
		"others leave, one does not yet":    {"a", []peer{leaves("a", 1), takes("a", 2), takes("b", 9), takes("b", 10)}, true},
		"the last of a rollout":             {"a", []peer{leaves("a", 1), leaves("a", 2), takes("b", 9)}, false},
		"a single relay is replaced":        {"a", []peer{takes("b", 9)}, false},
		"nobody has come yet":               {"a", []peer{takes("a", 1)}, false},
		"the new one has begun to leave":    {"a", []peer{takes("a", 1), leaves("b", 9)}, false},
		"rolled back halfway":               {"b", []peer{takes("a", 1), takes("a", 12), takes("b", 9)}, true},
		"rolled back halfway, the last":     {"b", []peer{takes("a", 1), takes("a", 12), leaves("b", 9)}, false},
		"rolled back, none of the old left": {"b", []peer{takes("b", 9), takes("a", 12)}, true},
		"an old one has been restarted":     {"a", []peer{takes("a", 20), takes("b", 9)}, true},
		"this one's clock is ahead":         {"a", []peer{takes("a", 900), takes("b", 9)}, true},
		"three: the middle one leaves too":  {"a", []peer{takes("b", 9), takes("c", 20)}, true},
		"three: only the newest is left":    {"a", []peer{leaves("a", 1), leaves("b", 9), takes("c", 20)}, false},
		"three: the middle one waits":       {"b", []peer{takes("a", 1), leaves("b", 9), takes("c", 20)}, true},
		"three: youngest relays decide":     {"b", []peer{takes("a", 1), takes("c", 20), takes("a", 30)}, true},
		"a relay that tells nothing":        {"a", []peer{takes("", 1), takes("", 99)}, false},
		"another workload":                  {"web/a", []peer{takes("web/a", 1), takes("worker/x", 5)}, false},
		"another workload, in a rollout":    {"web/a", []peer{leaves("web/a", 1), takes("web/b", 9), takes("worker/x", 5)}, false},
		"beside another workload":           {"web/a", []peer{takes("web/a", 1), takes("web/b", 9), takes("worker/x", 99)}, true},
	} {
		if got := shouldHold(c.generation, c.peers); got != c.hold {
			t.Errorf("%s: %v", name, got)
		}
	}
}
