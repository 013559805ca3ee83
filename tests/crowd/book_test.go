package crowd

import (
	"fmt"
	"testing"
)

func id(n int) string { return fmt.Sprintf("1795334400000-%d-aaaaaa", n) }

// TestJudge holds the judge against histories made by hand: a judge that
// never objects finds nothing.
func TestJudge(t *testing.T) {
	event := func(n int) func(*place) error { return func(p *place) error { return p.event(int64(n), id(n)) } }
	subscribed := func(n int, recovered bool) func(*place) error {
		return func(p *place) error { return p.subscribed(id(n), recovered) }
	}
	for name, c := range map[string]struct {
		told []func(*place) error
		bad  bool // the last of them
	}{
		"in order":                {told: []func(*place) error{subscribed(0, false), event(1), event(2)}},
		"resumed":                 {told: []func(*place) error{subscribed(3, false), event(4), subscribed(4, true), event(5)}},
		"a gap":                   {told: []func(*place) error{subscribed(0, false), event(2)}, bad: true},
		"a gap after subscribed":  {told: []func(*place) error{subscribed(4, false), event(6)}, bad: true},
		"a duplicate":             {told: []func(*place) error{subscribed(0, false), event(1), event(1)}, bad: true},
		"out of order":            {told: []func(*place) error{subscribed(0, false), event(1), event(2), event(1)}, bad: true},
		"before subscribed":       {told: []func(*place) error{event(1)}, bad: true},
		"subscribed further on":   {told: []func(*place) error{subscribed(0, false), event(1), subscribed(2, true)}, bad: true},
		"subscribed further back": {told: []func(*place) error{subscribed(3, false), subscribed(2, true)}, bad: true},
		"not recovered":           {told: []func(*place) error{subscribed(3, false), subscribed(3, false)}, bad: true},
		"a reset": {bad: true, told: []func(*place) error{subscribed(0, false), event(1),
			func(p *place) error { return p.reset(id(1), "trimmed") }}},
		"a number under another's id": {bad: true, told: []func(*place) error{subscribed(0, false),
			func(p *place) error { return p.event(1, id(2)) }}},
		"another id than the publisher's": {bad: true, told: []func(*place) error{subscribed(0, false),
			func(p *place) error { return p.book.ack(1, id(1)) },
			func(p *place) error { return p.event(1, "1795334400000-1-bbbbbb") }}},
	} {
		p := &place{channel: "a", book: &book{}}
		var err error
		for i, tell := range c.told {
			if err != nil {
				t.Errorf("%s: step %d: %v", name, i, err)
			}
			err = tell(p)
		}
		if (err != nil) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQuantiles(t *testing.T) {
	r := &recorder{}
	for range 99 {
		r.add(1e6) // 1 ms
	}
	r.add(1e9)
	l := r.latencies()
	for part, most := range map[float64]int64{.5: 1_100_000, .99: 1_100_000, 1: 1_100_000_000} {
		if got := l.Quantile(part).Nanoseconds(); got < most*9/11 || got > most {
			t.Errorf("quantile %v is %d ns", part, got)
		}
	}
}
