package process

import (
	"strings"
	"testing"
	"time"
)

func TestParseMetrics(t *testing.T) {
	m, err := parseMetrics(strings.NewReader("# HELP go_goroutines x\n# TYPE go_goroutines gauge\ngo_goroutines 12\n" +
		"relay_connections{transport=\"ws\"} 3\nprocess_resident_memory_bytes 1.5e+07\nbroken\nbad x\n"))
	if err != nil || len(m) != 2 || m["go_goroutines"] != 12 || m["process_resident_memory_bytes"] != 1.5e7 {
		t.Errorf("%v, %v", m, err)
	}
}

func TestUsage(t *testing.T) {
	before := Usage{User: 5 * time.Second, System: 3 * time.Second}
	for _, c := range []struct{ after, want Usage }{
		{Usage{User: 6 * time.Second, System: 5 * time.Second}, Usage{User: time.Second, System: 2 * time.Second}},
		// The parts are estimates, and may seem to run backwards.
		{Usage{User: 4 * time.Second, System: 5 * time.Second}, Usage{System: time.Second}},
		{Usage{User: 9 * time.Second, System: 2 * time.Second}, Usage{User: 3 * time.Second}},
	} {
		if got := c.after.Since(before); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.after, got, c.want)
		}
	}
}
