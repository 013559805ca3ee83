package redisbus

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"relay/bus"
)

type modeOf struct {
	rueidis.Client // nil: nothing else is asked of it

	mode rueidis.ClientMode
}

func (m modeOf) Mode() rueidis.ClientMode { return m.mode }

// plainGroup is one event that is announced only, kept one for history.
func plainGroup() *group { return &group{items: make([]item, 1), size: 100} }

func keptGroup(size int, keep time.Duration) *group {
	return &group{items: make([]item, 1), size: size, kept: true, keep: bus.Retention{Size: 1, TTL: keep}}
}

func TestWhatGoesIntoOneCall(t *testing.T) {
	many := func(n, size int) (list []*group) {
		for range n {
			list = append(list, keptGroup(size, time.Minute))
		}
		return list
	}
	textless := keptGroup(1, time.Minute)
	textless.full = true
	for _, c := range []struct {
		what    string
		mode    rueidis.ClientMode
		groups  []*group
		bundles []int
	}{
		{"a few", rueidis.ClientModeStandalone, many(3, 100), []int{3}},
		{"with Sentinel", rueidis.ClientModeSentinel, many(3, 100), []int{3}},
		{"in a Cluster", rueidis.ClientModeCluster, many(3, 100), []int{1, 1, 1}},
		{"more than go into one", rueidis.ClientModeStandalone, many(maxBundle+2, 100), []int{maxBundle, 2}},
		{"larger than one", rueidis.ClientModeStandalone, many(4, maxBundleBytes/2), []int{2, 2}},
		{"one that is too large for any", rueidis.ClientModeStandalone, append(many(1, maxBundleBytes+1), many(2, 10)...), []int{1, 2}},
		{"plain ones between", rueidis.ClientModeStandalone,
			[]*group{keptGroup(1, time.Minute), plainGroup(), keptGroup(1, time.Minute), plainGroup()}, []int{2, 1, 1}},
		{"kept for different times", rueidis.ClientModeStandalone,
			[]*group{keptGroup(1, time.Minute), keptGroup(1, time.Hour), keptGroup(1, time.Minute)}, []int{2, 1}},
		{"one for a server that does not know the script", rueidis.ClientModeStandalone,
			[]*group{keptGroup(1, time.Minute), textless, keptGroup(1, time.Minute)}, []int{2, 1}},
	} {
		t.Run(c.what, func(t *testing.T) {
			for i, g := range c.groups {
				g.keys = []string{strconv.Itoa(i)}
			}
			// Of two requests.
			half := len(c.groups) / 2
			parcels := []*parcel{{groups: c.groups[:half]}, {groups: c.groups[half:]}}
			seen := 0
			for i, b := range bundled(modeOf{mode: c.mode}, parcels) {
				if i >= len(c.bundles) || len(b.groups) != c.bundles[i] {
					t.Fatalf("call %d has %d groups; want %v", i, len(b.groups), c.bundles)
				}
				last := -1
				for _, g := range b.groups {
					n, _ := strconv.Atoi(g.keys[0])
					if n <= last {
						t.Errorf("group %d comes after %d", n, last)
					}
					last = n
					if g.keep != b.keep || g.full != b.full {
						t.Errorf("group %d does not belong into call %d", n, i)
					}
					seen++
				}
			}
			if seen != len(c.groups) {
				t.Errorf("%d of %d groups go out", seen, len(c.groups))
			}
		})
	}
}
