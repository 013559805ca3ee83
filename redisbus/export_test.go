package redisbus

import (
	"bytes"
	"context"
	"testing"

	"relay/bus"
)

// CheckMessageRoundTrip holds decodeMessage to its law: what it accepts, it
// accepts again in the bytes that this relay would write, and as the same event.
func CheckMessageRoundTrip(t *testing.T, text string) {
	d, err := decodeMessage("c", text, 1<<10, new(clock))
	if err != nil {
		return
	}
	body, err := appendBody(nil, &bus.Publication{Name: d.Event.Name, Data: d.Event.Data, Exclude: d.Event.Exclude}, 0)
	if err != nil {
		t.Fatalf("%q was read but cannot be written: %v", text, err)
	}
	again := string(body)
	if !d.Event.ID.IsZero() {
		again = d.Event.ID.String() + " " + d.Previous.String() + " " + again
	}
	d2, err := decodeMessage("c", again, 1<<20, new(clock))
	if err != nil {
		t.Fatalf("%q was read, then written as %q, which cannot be read: %v", text, again, err)
	}
	if d2.Event.ID != d.Event.ID || d2.Previous != d.Previous || d2.Event.Name != d.Event.Name || !bytes.Equal(d2.Event.Data, d.Event.Data) {
		t.Fatalf("%q became %+v, then %+v", text, d.Event, d2.Event)
	}
	if bytes.ContainsAny(d.Event.Data, "\r\n") {
		t.Fatalf("%q has a line break in its data", text)
	}
}

// PublishTogether publishes batches as concurrent requests do that find each
// other in the pipeline.
func PublishTogether(b bus.Bus, batches ...[]bus.Publication) (all [][]bus.Receipt) {
	r := b.(*Bus)
	client, err := r.redis()
	if err != nil {
		panic(err)
	}
	var parcels []*parcel
	var groups [][]*group
	for _, batch := range batches {
		receipts := make([]bus.Receipt, len(batch))
		all = append(all, receipts)
		sorted := r.group(batch, receipts)
		groups = append(groups, sorted)
		parcels = parcelsOf(context.Background(), sorted, parcels)
	}
	for _, p := range parcels {
		p.to.pipeline.exchange(client, []*parcel{p})
	}
	for i, sorted := range groups {
		for _, g := range sorted {
			g.await()
			g.settle(all[i])
		}
	}
	return all
}
