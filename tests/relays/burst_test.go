package relays

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"relay/tests/relaytest"
)

// One legal request is more than any queue was meant for; a client that reads
// as fast as it can gets all of it.
func TestBurstIsNotSlowness(t *testing.T) {
	r := relaytest.Start(t)
	for _, c := range []struct{ events, size int }{{1000, 1000}, {1000, 300}, {100, 60_000}, {1000, 7000}} {
		t.Run(fmt.Sprintf("%d of %d bytes", c.events, c.size), func(t *testing.T) {
			channel := fmt.Sprintf("burst.%d.%d", c.events, c.size)
			clients := []relaytest.Stream{
				r.WebSocket(t, "channel="+channel), r.EventStream(t, "channel="+channel), r.EventStream(t, "channel=other&channel="+channel),
			}
			for i, s := range clients {
				relaytest.Welcome(t, s, 1+i/2)
			}
			var body strings.Builder
			for n := range c.events {
				fmt.Fprintf(&body, `,{"channel":%q,"event":"n","data":"%d %s"}`, channel, n, strings.Repeat("x", c.size))
			}
			r.Publish(t, "["+body.String()[1:]+"]")
			var reading sync.WaitGroup
			for i, s := range clients {
				reading.Go(func() { readBurst(t, i, s, c.events) })
			}
			reading.Wait()
		})
	}
}

// readBurst reads as a page does, which looks at a frame and no more.
func readBurst(t *testing.T, client int, s relaytest.Stream, events int) {
	for n := range events {
		f, err := relaytest.TryNext(s)
		if err != nil || f.Type != "event" || !strings.HasPrefix(string(f.Data), fmt.Sprintf(`"%d `, n)) {
			t.Errorf("client %d: instead of event %d: %s %s %.40s, %v", client, n, f.Type, f.Reason, f.Data, err)
			return
		}
	}
}
