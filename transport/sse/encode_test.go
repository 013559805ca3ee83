package sse

import (
	"strings"
	"testing"

	"relay/event"
	"relay/hub"
)

func eventFrame(size int) *hub.Frame {
	id := event.Position{Time: 1795334400123, Offset: 42, Tag: event.Tag{'X', 'k', '3', 'v', 'Q', '9'}}
	return &hub.Frame{
		Type: hub.FrameEvent, Channel: "orders.42", ID: id,
		Event: &event.Event{Channel: "orders.42", Name: "order.paid", Data: []byte(`"` + strings.Repeat("x", size) + `"`), ID: id},
	}
}

func BenchmarkEncode(b *testing.B) {
	f := eventFrame(1024)
	b.ReportAllocs()
	for b.Loop() {
		streamFormat{}.Encode(f)
	}
}

func BenchmarkCursor(b *testing.B) {
	cursor := []byte(eventFrame(0).ID.String())
	b.ReportAllocs()
	for b.Loop() {
		streamFormat{}.Cursor(cursor)
	}
}

// An event costs its own bytes and those of its cursor.
func TestEncodingAllocatesNoMoreThanTheFrame(t *testing.T) {
	f := eventFrame(1024)
	if n := testing.AllocsPerRun(100, func() { streamFormat{}.Encode(f) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	cursor := []byte(f.ID.String())
	if n := testing.AllocsPerRun(100, func() { streamFormat{}.Cursor(cursor) }); n > 1 {
		t.Errorf("%v allocations for the cursor", n)
	}
}
