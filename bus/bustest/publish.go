package bustest

import (
	"context"
	"errors"
	"testing"

	"relay/bus"
	"relay/event"
)

func testChain(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	head := Resume(t, b, "c", bus.FromNow(), 10).Head
	if head.Offset != 0 {
		t.Fatalf("a new channel's head is %v; want offset 0", head)
	}
	receipts := Publish(t, b, Number("c", 1), Number("c", 2), Number("c", 3))
	last := head
	for i, d := range ear.Heard(t, "c", 3) {
		if d.Event.ID != receipts[i].ID {
			t.Errorf("heard %v, the receipt says %v", d.Event.ID, receipts[i].ID)
		}
		if !bus.Follows(d, last) {
			t.Errorf("%v (after %v) does not follow %v", d.Event.ID, d.Previous, last)
		}
		last = d.Event.ID
	}
	if now := Resume(t, b, "c", bus.FromNow(), 10).Head; now != last {
		t.Errorf("head is %v, the last event %v", now, last)
	}
}

func testMonotonic(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	var last event.Position
	for n := range 50 {
		id := Publish(t, b, Number("c", n))[0].ID
		if id.Time < last.Time || id.Offset != last.Offset+1 {
			t.Fatalf("%v came after %v", id, last)
		}
		last = id
	}
}

func testTransient(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	quick := Number("c", 2)
	quick.Transient = true
	r := Publish(t, b, Number("c", 1), quick, Number("c", 3))
	if !r[1].ID.IsZero() || r[1].Receivers != 1 {
		t.Errorf("receipt of a transient event: %+v; want no position, one receiver", r[1])
	}
	single := quick
	single.Data = []byte("4")
	if r := Publish(t, b, single)[0]; !r.ID.IsZero() || r.Receivers != 1 {
		t.Errorf("receipt of a single transient event: %+v", r)
	}
	heard := ear.Heard(t, "c", 4)
	equal(t, "heard", Numbers(t, heard), upTo(1, 4))
	if !heard[1].Event.ID.IsZero() || !heard[3].Event.ID.IsZero() {
		t.Error("a transient event was heard with a position")
	}
	page := Resume(t, b, "c", bus.FromStart(), 10)
	equal(t, "history", Numbers(t, page.Events), []int{1, 3})
}

func testNoHistory(t *testing.T, open Open) {
	b, ear := start(t, open, keepLast(0))
	ear.Listen(t, b, "c")
	r := Publish(t, b, Number("c", 1), Number("c", 2), Number("d", 1))
	for i := range r {
		if !r[i].ID.IsZero() {
			t.Errorf("receipt %d has position %v", i, r[i].ID)
		}
	}
	equal(t, "heard", Numbers(t, ear.Heard(t, "c", 2)), upTo(1, 2))
}

func testKeys(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	keyed := func(channel string, n int, key string) bus.Publication {
		p := Number(channel, n)
		p.Key = key
		return p
	}
	first := Publish(t, b, keyed("c", 1, "k"))[0]
	again := Publish(t, b, keyed("c", 1, "k"))[0]
	if !again.Duplicate || again.ID != first.ID || first.Duplicate {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if r := b.Publish(context.Background(), []bus.Publication{keyed("c", 2, "k")})[0]; !errors.Is(r.Err, bus.ErrKeyReused) {
		t.Errorf("another event under the key: %+v", r)
	}
	if r := Publish(t, b, keyed("d", 1, "k"))[0]; r.Duplicate {
		t.Error("the key of one channel counted in another")
	}
	// Within one batch, and without history.
	r := Publish(t, b, keyed("c", 3, "x"), keyed("c", 3, "x"), keyed("c", 4, "y"))
	if r[0].Duplicate || !r[1].Duplicate || r[1].ID != r[0].ID || r[2].Duplicate {
		t.Errorf("within a batch: %+v", r)
	}
	quick := keyed("c", 5, "z")
	quick.Transient = true
	if r := Publish(t, b, quick, quick); r[0].Duplicate || !r[1].Duplicate || !r[1].ID.IsZero() {
		t.Errorf("transient: %+v", r)
	}
	equal(t, "heard", Numbers(t, ear.Heard(t, "c", 4)), []int{1, 3, 4, 5})
}
