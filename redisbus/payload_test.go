package redisbus

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"relay/event"
)

// usual is a message as most are: 128 bytes of data.
var usual = `1795334400123-42-Xk3vQ9 b0Ty2m {"event":"order.paid","data":{"a":"` + strings.Repeat("x", 120) + `"},"at":1795334400122000}`

// usualClock is a node's that a canary has told of.
var usualClock = func() *clock {
	c := new(clock)
	c.learn(1795334400000, time.UnixMilli(1795334400000), time.Millisecond)
	return c
}()

// FuzzBody holds decodeBody to what the JSON package would say of the same
// text, so that nothing reaches a client that is not strictly JSON.
func FuzzBody(f *testing.F) {
	for _, text := range []string{
		`{"event":"x","data":{"a":[1,2,{"b":null}]}}`, `{"data":null,"event":"é \"x\"","exclude":["a","b"]}`,
		` { "event" : "x" , "data" : [ 1 , "a b" ] } `, `{"event":"x","data":1,"exclude":null}`, `{"event":"x","data":1,"new":{"a":1}}`,
		`{"event":"x","data":1,"data":2}`, `{"event":"x","data":{"a":1,"a":2}}`, `{"event":"x","data":"` + "\xff" + `"}`,
		`{"event":"x","data":01}`, `{"event":"x","data":1}}`, `{"event":"x","data":1} 2`, `{"event":"x","data":[1,]}`, `{"event":"x","data":"` + "\n" + `"}`,
		`{"event":1,"data":1}`, `{"event":"x","data":1,"exclude":["a",1]}`, `{"event":"x","data":1,"exclude":"a"}`, `{"Event":"x","data":1}`,
		`{"event":"x","data":1,"at":1795334400122000}`, `{"event":"x","data":1,"at":"noon"}`, `{"event":"x","data":1,"at":1e99}`,
		`{"event":"x","\u0064ata":1}`, `{"event":"x"}`, `{"event":"","data":1}`, `{"event":"x","data":1,"exclude":["a"`, `[]`, `null`, ``,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decodeBody("c", text, 1<<20, new(clock))
		var want struct {
			Event   *string        `json:"event"`
			Data    jsontext.Value `json:"data"`
			Exclude []*string      `json:"exclude"`
		}
		valid := json.Unmarshal([]byte(text), &want) == nil &&
			want.Event != nil && event.CheckName(*want.Event) == nil &&
			want.Data != nil && want.Data.Compact() == nil && len(want.Data) <= 1<<20 &&
			len(want.Exclude) <= event.MaxExclude && !slices.Contains(want.Exclude, nil) && strings.TrimSpace(text) != "null"
		if valid != (err == nil) {
			t.Fatalf("%q: valid %t, error %v", text, valid, err)
		}
		if !valid {
			return
		}
		var exclude []string
		for _, id := range want.Exclude {
			exclude = append(exclude, *id)
		}
		if got.Name != *want.Event || string(got.Data) != string(want.Data) || !slices.Equal(got.Exclude, exclude) {
			t.Fatalf("%q was read as %+v", text, got)
		}
	})
}

// A bound, not the count: it is 3 (the event, its text, its name), and more
// under the race detector, which lets decoders go that could be used again.
func TestHearingAnEventAllocatesLittle(t *testing.T) {
	// It takes six; under the race detector pools forget at random.
	const most = 7
	if n := testing.AllocsPerRun(1000, func() { decodeUsual(t) }); n > most {
		t.Errorf("%v allocations to decode an event; want at most %d", n, most)
	}
}

func BenchmarkDecodeMessage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		decodeUsual(b)
	}
}

func decodeUsual(tb testing.TB) {
	if _, err := decodeMessage("orders.42", usual, 1<<16, usualClock); err != nil {
		tb.Fatal(err)
	}
}
