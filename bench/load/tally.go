package load

import (
	"time"

	"relay/bench/measure"
)

// Tally is what a crowd has seen since it was told to begin.
type Tally struct {
	// Deliveries are events that reached a client that follows their channel.
	Deliveries uint64
	// Compressed are the messages that came compressed.
	Compressed uint64
	// Bytes are what was received for them and beside them.
	Bytes uint64
	Pings uint64
	// Strangers are events that this client should not have got, or that the
	// load tester did not make.
	Strangers uint64
	// Latency is from just before the POST was written until the read returned.
	Latency measure.Histogram
	// Connect is from connect(2) until the relay said `subscribed`.
	Connect measure.Histogram
	Order   measure.Order
	// Ended counts the clients that lost their connection, by reason.
	Ended map[string]int
	// Busy is the CPU time of the busiest loop that reads, 0 where it cannot
	// be told.
	Busy time.Duration
}

func (t *Tally) end(reason string) {
	if t.Ended == nil {
		t.Ended = make(map[string]int)
	}
	// The reasons come from the relay; not every one may be a new line.
	if _, known := t.Ended[reason]; !known && len(t.Ended) >= 20 {
		reason = "other reasons"
	}
	t.Ended[reason]++
}

// Merge adds what another crowd has seen at the same time.
func (t *Tally) Merge(other *Tally) {
	t.Deliveries += other.Deliveries
	t.Compressed += other.Compressed
	t.Bytes += other.Bytes
	t.Pings += other.Pings
	t.Strangers += other.Strangers
	t.Latency.Merge(&other.Latency)
	t.Connect.Merge(&other.Connect)
	t.Order.Add(other.Order)
	for reason, n := range other.Ended {
		for range n {
			t.end(reason)
		}
	}
	t.Busy = max(t.Busy, other.Busy)
}

// Gone is how many clients lost their connection.
func (t *Tally) Gone() int {
	n := 0
	for _, k := range t.Ended {
		n += k
	}
	return n
}

func (t *Tally) clone() Tally {
	var c Tally
	c.Merge(t)
	return c
}
