package redisbus

import "testing"

// A node that gives all of its slots away has none for a canary.
func TestKeepsAny(t *testing.T) {
	one, other := new(session), new(session)
	nodes := &clusterNodes{}
	for slot := range nodes.owners {
		nodes.owners[slot] = other
	}
	nodes.owners[7], nodes.owners[9] = one, one
	for _, c := range []struct {
		moving map[uint16]bool
		want   bool
	}{
		{nil, true},
		{map[uint16]bool{7: true}, true},
		{map[uint16]bool{7: true, 9: true}, false},
		{map[uint16]bool{7: true, 8: true}, true},
	} {
		if got := nodes.keepsAny(one, c.moving); got != c.want {
			t.Errorf("%v are moving: %v, want %v", c.moving, got, c.want)
		}
	}
}
