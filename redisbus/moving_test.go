package redisbus_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/tests/redistest"
)

// move is a Cluster of two masters, one of which is to give the slot of channel
// c to the other.
type move struct {
	cluster  *redistest.Cluster
	bus      bus.Bus
	ear      *bustest.Ear
	slot     int
	from, to *redistest.Server
}

func moveOfC(t *testing.T) *move {
	t.Helper()
	m := &move{cluster: redistest.StartCluster(t, 2, 0)}
	m.bus = open(t, m.cluster, "relay:", bustest.Keep)
	m.ear = bustest.NewEar(m.bus)
	bustest.AwaitHealthy(t, m.bus)
	m.slot = m.cluster.SlotOf("relay:c")
	m.from, m.to = m.cluster.Owner(m.slot), m.cluster.Nodes[0]
	if m.to == m.from {
		m.to = m.cluster.Nodes[1]
	}
	return m
}

// What is published at a slot's new owner before the move is over is not
// heard, and must be found all the same, although the move never ends.
func TestMissesNothingOfASlotOnTheMove(t *testing.T) {
	t.Parallel()
	m := moveOfC(t)
	channels := channelsOf(t, m.cluster, 2)
	m.ear.Listen(t, m.bus, "c")
	still := channels[m.to]
	m.ear.Listen(t, m.bus, still)
	bustest.Publish(t, m.bus, bustest.Number("c", 1))
	last := m.ear.Heard(t, "c", 1)[0].Event.ID
	m.cluster.BeginMove(m.slot, m.to)
	m.cluster.MoveKeys(m.slot, m.to)
	for n := 2; n < 5; n++ {
		before := m.ear.Confirmations("c")
		bustest.Publish(t, m.bus, bustest.Number("c", n))
		// Two: the first may have been under way.
		m.ear.AwaitConfirmations(t, "c", before+2)
		page := bustest.Resume(t, m.bus, "c", bus.FromPosition(last), 10)
		if got := bustest.Numbers(t, page.Events); page.Reset != "" || len(got) != 1 || got[0] != n {
			t.Fatalf("after event %d, history from the one before: %+v", n, page)
		}
		last = page.Head
	}
	if got := m.ear.Heard(t, "c", 1); len(got) != 1 {
		t.Errorf("the old owner announced what the new one has: %d events heard", len(got))
	}
	if n := m.ear.Confirmations(still); n != 1 {
		t.Errorf("a channel whose slot stays was subscribed to %d times", n)
	}
	m.cluster.EndMove(m.slot, m.to)
	await(t, "an event being heard at once", func() bool {
		bustest.Publish(t, m.bus, bustest.Number("c", 5))
		return len(m.ear.Heard(t, "c", 1)) > 1
	})
	bustest.AwaitHealthy(t, m.bus)
}

// An event without history that the script publishes at the new owner is lost,
// so it is refused; one that is announced alone is heard as ever.
func TestTransientEventsOfASlotOnTheMove(t *testing.T) {
	t.Parallel()
	m := moveOfC(t)
	m.ear.Listen(t, m.bus, "c")
	quick := bustest.Number("c", 1)
	quick.Transient = true
	bustest.Publish(t, m.bus, bustest.Number("c", 0), quick)
	m.cluster.BeginMove(m.slot, m.to)
	m.cluster.MoveKeys(m.slot, m.to)
	m.ear.AwaitConfirmations(t, "c", 2)
	keyed := quick
	keyed.Key = "k"
	if r := m.bus.Publish(t.Context(), []bus.Publication{bustest.Number("c", 2), quick}); r[0].Err != nil || !errors.Is(r[1].Err, bus.ErrUnavailable) {
		t.Errorf("with one that is kept: %+v", r)
	}
	if r := m.bus.Publish(t.Context(), []bus.Publication{keyed}); !errors.Is(r[0].Err, bus.ErrUnavailable) {
		t.Errorf("with a key: %+v", r)
	}
	alone := bustest.Number("c", 3)
	alone.Transient = true
	bustest.Publish(t, m.bus, alone)
	hears(t, m.ear, "c", 3)
	m.cluster.EndMove(m.slot, m.to)
	publishAtLast(t, m.bus, keyed)
}

// The canary must not stand for a node while it is in a slot that leaves it.
func TestCanaryLeavesASlotOnTheMove(t *testing.T) {
	t.Parallel()
	m := moveOfC(t)
	count := func() string { return m.from.Do("PUBSUB", "SHARDCHANNELS", "relay:_canary.*") }
	name, err := m.from.Text("PUBSUB", "SHARDCHANNELS", "relay:_canary.*")
	if err != nil || count() != "*1" {
		t.Fatalf("canary %q: %v", name, err)
	}
	slot := m.cluster.SlotOf(name)
	m.cluster.BeginMove(slot, m.to)
	m.cluster.MoveKeys(slot, m.to)
	await(t, "another canary", func() bool { return count() == "*2" })
	bustest.AwaitHealthy(t, m.bus)
}

// What docs/guarantees.md says of a move that stays open, to a channel that is new.
func TestNewChannelInASlotOnTheMove(t *testing.T) {
	t.Parallel()
	m := moveOfC(t)
	m.cluster.BeginMove(m.slot, m.to)
	ctx, cancel := context.WithTimeout(t.Context(), refusedAfter)
	defer cancel()
	if _, err := m.bus.Resume(ctx, "c", bus.FromNow(), 1); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("resume: %v", err)
	}
	publishRefused(t, m.bus, bustest.Number("c", 1))
	m.cluster.EndMove(m.slot, m.to)
	if r := bustest.Publish(t, m.bus, bustest.Number("c", 2))[0]; r.ID.Offset != 1 {
		t.Errorf("after the move: %+v", r)
	}
}

// And to one whose history is empty, or to a new idempotency key.
func TestRefusedWhileASlotMoves(t *testing.T) {
	t.Parallel()
	m := moveOfC(t)
	bustest.Publish(t, m.bus, bustest.Number("c", 1))
	m.cluster.BeginMove(m.slot, m.to)
	keyed := bustest.Number("c", 1)
	keyed.Key = "k"
	publishRefused(t, m.bus, keyed)
	if err := m.bus.Delete(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	head := bustest.Resume(t, m.bus, "c", bus.FromNow(), 1).Head
	for _, state := range []string{"keys not moved", "keys moved"} {
		if page := bustest.Resume(t, m.bus, "c", bus.FromNow(), 1); page.Head != head || page.Created {
			t.Errorf("%s: a new reader of a channel without history: %+v", state, page)
		}
		if page := bustest.Resume(t, m.bus, "c", bus.FromPosition(head), 1); !page.Recovered {
			t.Errorf("%s: a reader at the head of a channel without history: %+v", state, page)
		}
		if err := m.bus.Delete(t.Context(), "c"); err != nil {
			t.Errorf("%s: delete: %v", state, err)
		}
		publishRefused(t, m.bus, bustest.Number("c", 2))
		ctx, cancel := context.WithTimeout(t.Context(), refusedAfter)
		if _, err := m.bus.Resume(ctx, "c", bus.FromStart(), 1); !errors.Is(err, bus.ErrUnavailable) {
			t.Errorf("%s: the start of a history that is nowhere: %v", state, err)
		}
		cancel()
		m.cluster.MoveKeys(m.slot, m.to)
	}
	taken := make(chan bus.Receipt, 1)
	go func() { taken <- m.bus.Publish(context.Background(), []bus.Publication{bustest.Number("c", 3)})[0] }()
	refusals(t, m.to, "TRYAGAIN", 1)
	m.cluster.EndMove(m.slot, m.to)
	if r := <-taken; r.Err != nil || r.ID.Offset != head.Offset+1 {
		t.Errorf("after the move: %+v", r)
	}
}

// refusedAfter is how long the tests insist on what is refused for as long as
// the move is open.
const refusedAfter = 300 * time.Millisecond

func publishRefused(tb testing.TB, b bus.Bus, p bus.Publication) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), refusedAfter)
	defer cancel()
	if r := b.Publish(ctx, []bus.Publication{p})[0]; !errors.Is(r.Err, bus.ErrUnavailable) {
		tb.Errorf("an event that is to be refused: %+v", r)
	}
}

// Two nodes that send a command to and fro have not executed it.
func TestResumeAndDeleteTryAgain(t *testing.T) {
	t.Parallel()
	m := moveOfC(t)
	bustest.Publish(t, m.bus, bustest.Number("c", 1))
	m.cluster.BeginMove(m.slot, m.to)
	m.cluster.MoveKeys(m.slot, m.to)
	m.cluster.ForgetMove(m.slot, m.to)
	if _, err := m.bus.Resume(context.Background(), "c", bus.FromStart(), 1); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("a caller without a deadline waited for %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// In this order: once the stream is deleted, one of two keys is there, and
	// while the move is open nobody may read them both.
	for _, c := range []struct {
		what string
		try  func() error
	}{
		{"resume", func() error {
			_, err := m.bus.Resume(ctx, "c", bus.FromStart(), 1)
			return err
		}},
		{"delete", func() error { return m.bus.Delete(ctx, "c") }},
	} {
		before := refusals(t, m.from, "ASK", 1)
		done := make(chan error, 1)
		go func() { done <- c.try() }()
		refusals(t, m.from, "ASK", before+20)
		m.cluster.BeginMove(m.slot, m.to)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		m.cluster.ForgetMove(m.slot, m.to)
	}
}

// refusals waits until a server has refused so many commands in one way, and
// returns how many it were.
func refusals(tb testing.TB, server *redistest.Server, kind string, least int) (count int) {
	tb.Helper()
	await(tb, fmt.Sprintf("%d answers %s", least, kind), func() bool {
		text, err := server.Text("INFO", "errorstats")
		if err != nil {
			return false
		}
		_, after, _ := strings.Cut(text, "errorstat_"+kind+":count=")
		digits, _, _ := strings.Cut(after, "\r")
		count, _ = strconv.Atoi(digits)
		return count >= least
	})
	return count
}
