package api

import (
	"strings"
	"testing"
)

// usual is a request as most are: one event with 128 bytes of data.
var usual = []byte(`{"channel":"orders.42","event":"order.paid","data":{"a":"` + strings.Repeat("x", 120) + `"}}`)

// A bound, not the count: it is 5 (the item, its channels, the name of each,
// the data), and more under the race detector, which lets decoders go that
// could be used again.
func TestReadingAnEventAllocatesLittle(t *testing.T) {
	const most = 15
	if n := testing.AllocsPerRun(1000, func() { readUsual(t) }); n > most {
		t.Errorf("%v allocations to read an event; want at most %d", n, most)
	}
}

func BenchmarkReadItems(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		readUsual(b)
	}
}

func readUsual(tb testing.TB) {
	if _, _, p := readItems(usual, DefaultMaxEventBytes); p != nil {
		tb.Fatal(p)
	}
}

// What one body was told must not change when its reader reads another.
func TestProblemsOutliveTheirReader(t *testing.T) {
	_, _, first := readItems([]byte(`{"channel":"a","event":"x","dat":1}`), DefaultMaxEventBytes)
	want := first.Errors[0]
	_, _, second := readItems([]byte(`[{"channels":[],"event":"","data":1}]`), DefaultMaxEventBytes)
	if first.Errors[0] != want || second.Errors[0] == want {
		t.Errorf("the problems of the first body became %+v", first.Errors)
	}
	items, _, p := readItems(usual, DefaultMaxEventBytes)
	if p != nil || len(items) != 1 {
		t.Errorf("a good body after bad ones: %+v", p)
	}
}
