package bustest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"relay/bus"
)

// Number makes a publication whose data is a number.
func Number(channel string, n int) bus.Publication {
	return bus.Publication{Channel: channel, Name: "n", Data: fmt.Appendf(nil, "%d", n)}
}

// Numbers returns the numbers in a list of deliveries.
func Numbers(tb testing.TB, list []bus.Delivery) []int {
	tb.Helper()
	numbers := make([]int, len(list))
	for i, d := range list {
		if err := json.Unmarshal(d.Event.Data, &numbers[i]); err != nil {
			tb.Fatalf("data %q: %v", d.Event.Data, err)
		}
	}
	return numbers
}

// Publish publishes and fails the test unless all is taken.
func Publish(tb testing.TB, b bus.Bus, batch ...bus.Publication) []bus.Receipt {
	tb.Helper()
	receipts := b.Publish(context.Background(), batch)
	if len(receipts) != len(batch) {
		tb.Fatalf("%d receipts for %d publications", len(receipts), len(batch))
	}
	for i, r := range receipts {
		if r.Err != nil {
			tb.Fatalf("publication %d: %v", i, r.Err)
		}
	}
	return receipts
}

// Resume resumes and fails the test on an error.
func Resume(tb testing.TB, b bus.Bus, channel string, from bus.From, limit int) bus.Page {
	tb.Helper()
	page, err := b.Resume(context.Background(), channel, from, limit)
	if err != nil {
		tb.Fatalf("resume %s: %v", channel, err)
	}
	return page
}

// AwaitHealthy waits until the bus says that it is well.
func AwaitHealthy(tb testing.TB, b bus.Bus) {
	tb.Helper()
	deadline := time.Now().Add(time.Minute)
	for b.Healthy() != nil {
		if time.Now().After(deadline) {
			tb.Fatalf("not healthy after a minute: %v", b.Healthy())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func upTo(from, to int) []int {
	var list []int
	for n := from; n <= to; n++ {
		list = append(list, n)
	}
	return list
}

func equal(tb testing.TB, what string, got, want []int) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
