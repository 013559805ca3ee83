package hub_test

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"relay/bus/bustest"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

// counts keeps some of what a hub reports.
type counts struct {
	hub.NoMetrics
	mu     sync.Mutex
	delays []time.Duration
	of     map[string]int
}

func newCounts() *counts { return &counts{of: make(map[string]int)} }

func (c *counts) Delay(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delays = append(c.delays, d)
}

func (c *counts) Delivered(events, _ int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of["delivered"] += events
}

func (c *counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[what]++
}

func (c *counts) Resumed(outcome event.Outcome) { c.add("resumed " + string(outcome)) }

func (c *counts) Reset(cause event.ResetCause) { c.add("reset " + string(cause)) }

func (c *counts) Aligned(outcome event.Outcome) { c.add("aligned " + string(outcome)) }

// Once for an event, however many get it; not for one that nobody gets, nor
// for one of which nobody knows when it was posted.
func TestDelayIsThatFromThePost(t *testing.T) {
	c := newCounts()
	inBubble(t, hub.Options{Metrics: c}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		alice, bob := connect(t, h, everything), connect(t, h, everything)
		alice.subscribe("a")
		bob.subscribe("a", "b")
		synctest.Wait()
		posted := time.Now()
		time.Sleep(3 * time.Second)
		for n, channel := range []string{"a", "b", "nobody's"} {
			kept, quick := bustest.Number(channel, n), bustest.Number(channel, n)
			kept.Posted = posted
			quick.Posted, quick.Transient = time.Now().Add(time.Hour), true // by a clock that is ahead
			bustest.Publish(t, b, kept, quick, bustest.Number(channel, n))
			synctest.Wait()
		}
		if want := []time.Duration{3 * time.Second, 0, 3 * time.Second, 0}; !slices.Equal(c.delays, want) {
			t.Errorf("observed %v, want %v", c.delays, want)
		}
	})
}

func TestResumesAndResetsAreCounted(t *testing.T) {
	c := newCounts()
	inBubble(t, hub.Options{Metrics: c}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		ids := published(t, b, 1, 3)
		for _, since := range []string{"", "start", ids[0], ids[2], "nonsense", "1-999-xxxxxx"} {
			alice := connect(t, h, everything)
			alice.subscribeSince("a", since)
			synctest.Wait()
		}
		want := map[string]int{
			"aligned fresh": 1, "resumed fresh": 1, "resumed start": 1, "resumed recovered": 2,
			"delivered":       3 + 2, // to who came from the start and from the first
			"resumed unknown": 1, "reset unknown": 1, "resumed diverged": 1, "reset diverged": 1,
		}
		if !maps.Equal(c.of, want) {
			t.Errorf("counted %v\nwant    %v", c.of, want)
		}
	})
}
