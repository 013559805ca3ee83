package bustest

import (
	"context"
	"maps"
	"strings"
	"testing"

	"relay/bus"
	"relay/event"
)

func testTrim(t *testing.T, open Open) {
	b, _ := start(t, open, keepLast(10))
	first := Publish(t, b, Number("c", 0))[0].ID
	// Redis trims in blocks of 100 entries; 1000 is far beyond any slack.
	var batch []bus.Publication
	for n := 1; n <= 1000; n++ {
		batch = append(batch, Number("c", n))
	}
	r := Publish(t, b, batch...)
	if page := Resume(t, b, "c", bus.FromPosition(first), 10); page.Reset != event.ResetTrimmed {
		t.Errorf("from an event long trimmed: %+v", page)
	}
	page := Resume(t, b, "c", bus.FromPosition(r[989].ID), 20)
	equal(t, "the last ten", Numbers(t, page.Events), upTo(991, 1000))
	oldest := Resume(t, b, "c", bus.FromStart(), 2000).Events
	if len(oldest) < 10 || len(oldest) > 250 {
		t.Errorf("history of size 10 holds %d events", len(oldest))
	}
	// The cursor's own entry is gone, the one after it is not.
	justBefore := r[oldest[0].Event.ID.Offset-3].ID
	page = Resume(t, b, "c", bus.FromPosition(justBefore), 2000)
	if !page.Recovered || len(page.Events) != len(oldest) {
		t.Errorf("from just before the oldest: reset %q, %d events, want %d", page.Reset, len(page.Events), len(oldest))
	}
}

// testKeep: how much is kept is a matter of the channel, even within one batch.
func testKeep(t *testing.T, open Open) {
	long, short, none := keepLast(1000)(""), keepLast(10)(""), keepLast(0)("")
	b, ear := start(t, open, func(channel string) bus.Retention {
		switch {
		case strings.HasPrefix(channel, "short."):
			return short
		case strings.HasPrefix(channel, "none."):
			return none
		}
		return long
	})
	ear.Listen(t, b, "none.a")
	var batch []bus.Publication
	for n := 1; n <= 500; n++ {
		batch = append(batch, Number("long.a", n), Number("short.a", n), Number("none.a", n))
	}
	receipts := Publish(t, b, batch...)

	equal(t, "long.a", Numbers(t, Resume(t, b, "long.a", bus.FromStart(), 1000).Events), upTo(1, 500))
	kept := Numbers(t, Resume(t, b, "short.a", bus.FromStart(), 1000).Events)
	// Redis trims in blocks of 100 entries.
	if len(kept) < 10 || len(kept) > 250 {
		t.Errorf("history of size 10 holds %d events", len(kept))
	}
	if got := Resume(t, b, "none.a", bus.FromStart(), 1000).Events; len(got) > 0 || !receipts[2].ID.IsZero() {
		t.Errorf("without history, %d events are kept and the first is %v", len(got), receipts[2].ID)
	}
	equal(t, "heard without history", Numbers(t, ear.Heard(t, "none.a", 500)), upTo(1, 500))
}

func testDelete(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	remove := func() {
		t.Helper()
		if err := b.Delete(context.Background(), "c"); err != nil {
			t.Fatal(err)
		}
	}
	remove() // of a channel that nobody knows
	r := Publish(t, b, Number("c", 1), Number("c", 2), Number("d", 1))
	remove()

	if page := Resume(t, b, "c", bus.FromStart(), 10); len(page.Events) > 0 || page.Head != r[1].ID {
		t.Errorf("deleted: %+v", page)
	}
	if page := Resume(t, b, "c", bus.FromPosition(r[1].ID), 10); !page.Recovered || page.Reset != "" {
		t.Errorf("a reader at the head has lost nothing: %+v", page)
	}
	if page := Resume(t, b, "c", bus.FromPosition(r[0].ID), 10); page.Reset != event.ResetTrimmed {
		t.Errorf("a reader behind the head: %+v", page)
	}
	equal(t, "another channel", Numbers(t, Resume(t, b, "d", bus.FromStart(), 10).Events), []int{1})

	// The chain goes on where it was, so that whoever listens sees no break.
	next := Publish(t, b, Number("c", 3))[0].ID
	if d := ear.Heard(t, "c", 3)[2]; d.Event.ID != next || !bus.Follows(d, r[1].ID) {
		t.Errorf("%v (after %v) does not follow %v", d.Event.ID, d.Previous, r[1].ID)
	}
	page := Resume(t, b, "c", bus.FromPosition(r[1].ID), 10)
	equal(t, "from before the deletion", Numbers(t, page.Events), []int{3})
	if page := Resume(t, b, "c", bus.FromPosition(r[0].ID), 10); page.Reset != event.ResetTrimmed {
		t.Errorf("a reader whose next event was deleted: %+v", page)
	}
}

func testHeads(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	r := Publish(t, b, Number("c", 1), Number("d", 1), Number("c", 2))
	heads := b.Heads(context.Background(), []string{"c", "nobody knows", "d"})
	want := map[string]event.Position{"c": r[2].ID, "nobody knows": {}, "d": r[1].ID}
	if !maps.Equal(heads, want) {
		t.Errorf("the heads are %v, want %v", heads, want)
	}
	if page := Resume(t, b, "nobody knows", bus.FromNow(), 1); !page.Created {
		t.Error("asking where a channel stands has made it")
	}
}
