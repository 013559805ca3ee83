package bustest

import (
	"fmt"
	"testing"

	"relay/bus"
	"relay/event"
)

func testResume(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	before := Resume(t, b, "c", bus.FromNow(), 10).Head
	r := Publish(t, b, Number("c", 1), Number("c", 2), Number("c", 3))
	at := func(p event.Position) bus.Page { return Resume(t, b, "c", bus.FromPosition(p), 10) }

	for i, want := range [][]int{{1, 2, 3}, {2, 3}, {3}, nil} {
		from := before
		if i > 0 {
			from = r[i-1].ID
		}
		page := at(from)
		if !page.Recovered || page.Reset != "" || page.Head != r[2].ID {
			t.Errorf("from %d: %+v", i, page)
		}
		equal(t, fmt.Sprintf("from %d", i), Numbers(t, page.Events), want)
		for _, d := range page.Events {
			if !bus.Follows(d, from) {
				t.Errorf("from %d: %v does not follow %v", i, d.Event.ID, from)
			}
			from = d.Event.ID
		}
	}
	page := Resume(t, b, "c", bus.FromStart(), 10)
	equal(t, "from the start", Numbers(t, page.Events), upTo(1, 3))
	if page.Recovered {
		t.Error("recovered is set although no position was given")
	}

	forged := r[1].ID
	forged.Tag = event.NewTag()
	if page := at(forged); page.Reset != event.ResetDiverged {
		t.Errorf("a position with another tag: %+v", page)
	}
	beyond := r[2].ID
	beyond.Offset += 5
	if page := at(beyond); page.Reset != event.ResetDiverged {
		t.Errorf("a position beyond the head: %+v", page)
	}
	if page := Resume(t, b, "never", bus.FromPosition(r[0].ID), 10); page.Reset != event.ResetUnknown {
		t.Errorf("a position in a channel nobody knows: %+v", page)
	}
}

func testPages(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	at := Resume(t, b, "c", bus.FromNow(), 10).Head
	for n := 1; n <= 25; n++ {
		Publish(t, b, Number("c", n))
	}
	var got []int
	for more := true; more; {
		page := Resume(t, b, "c", bus.FromPosition(at), 10)
		if !page.Recovered || len(page.Events) > 10 || len(page.Events) == 0 {
			t.Fatalf("from %v: %+v", at, page)
		}
		got = append(got, Numbers(t, page.Events)...)
		at = page.Events[len(page.Events)-1].Event.ID
		more = page.More
	}
	equal(t, "all pages", got, upTo(1, 25))
	page := Resume(t, b, "c", bus.FromStart(), 25)
	if len(page.Events) != 25 || page.More {
		t.Errorf("a page of just the right size: %d events, more %v", len(page.Events), page.More)
	}
}
