package bustest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"relay/bus"
)

func testConcurrent(t *testing.T, open Open) {
	next, shared := open(t, keepLast(1000))
	buses := []bus.Bus{next()}
	if shared {
		buses = append(buses, next())
	}
	ears := make([]*Ear, len(buses))
	for i, b := range buses {
		ears[i] = NewEar(b)
		AwaitHealthy(t, b)
		ears[i].Listen(t, b, "c")
	}
	const publishers, each = 8, 50
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for n := range each {
				Publish(t, buses[p%len(buses)], Number("c", p*each+n))
			}
		})
	}
	wg.Wait()
	order := Numbers(t, ears[0].Heard(t, "c", publishers*each))
	for i, ear := range ears {
		heard := ear.Heard(t, "c", publishers*each)
		equal(t, fmt.Sprintf("bus %d", i), Numbers(t, heard), order)
		for n := 1; n < len(heard); n++ {
			if !bus.Follows(heard[n], heard[n-1].Event.ID) {
				t.Fatalf("bus %d: %v does not follow %v", i, heard[n].Event.ID, heard[n-1].Event.ID)
			}
		}
	}
	sorted := slices.Clone(order)
	slices.Sort(sorted)
	equal(t, "each once", sorted, upTo(0, publishers*each-1))
}

func testTwo(t *testing.T, open Open) {
	next, shared := open(t, Keep)
	if !shared {
		// Two in-process buses are two worlds; that too is a promise.
		a, b := next(), next()
		earA, earB := NewEar(a), NewEar(b)
		earA.Listen(t, a, "c")
		earB.Listen(t, b, "c")
		Publish(t, a, Number("c", 1))
		Publish(t, b, Number("c", 2))
		equal(t, "a", Numbers(t, earA.Heard(t, "c", 1)), []int{1})
		equal(t, "b", Numbers(t, earB.Heard(t, "c", 1)), []int{2})
		return
	}
	a, b := next(), next()
	earA, earB := NewEar(a), NewEar(b)
	AwaitHealthy(t, a)
	AwaitHealthy(t, b)
	earA.Listen(t, a, "c")
	earB.Listen(t, b, "c")
	first := Publish(t, a, Number("c", 1))[0].ID
	Publish(t, b, Number("c", 2))
	equal(t, "a", Numbers(t, earA.Heard(t, "c", 2)), upTo(1, 2))
	equal(t, "b", Numbers(t, earB.Heard(t, "c", 2)), upTo(1, 2))
	equal(t, "history in the other", Numbers(t, Resume(t, b, "c", bus.FromPosition(first), 5).Events), []int{2})
	quick := Number("c", 3)
	quick.Transient = true
	if r := Publish(t, a, quick)[0]; r.Receivers != 2 {
		t.Errorf("%d receivers, want 2", r.Receivers)
	}
}

func testClosed(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	b.Close()
	if r := b.Publish(context.Background(), []bus.Publication{Number("c", 1)})[0]; r.Err == nil {
		t.Error("a closed bus took an event")
	}
	if _, err := b.Resume(context.Background(), "c", bus.FromNow(), 1); err == nil {
		t.Error("a closed bus answered a resume")
	}
	if b.Healthy() == nil {
		t.Error("a closed bus says that it is healthy")
	}
	if b.Delete(context.Background(), "c") == nil {
		t.Error("a closed bus deleted history")
	}
	b.Listen("c") // must not panic
}
