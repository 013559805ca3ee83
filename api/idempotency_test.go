package api_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"relay/api"
	"relay/bus"
	"relay/membus"
)

// onMembus serves with a real bus.
func onMembus(t *testing.T) (*server, *membus.Bus) {
	t.Helper()
	b := membus.New(bus.Everywhere(bus.Retention{Size: 100, TTL: time.Hour, PositionTTL: time.Hour}))
	t.Cleanup(b.Close)
	return serve(t, func(o *api.Options) { o.Bus = b }), b
}

// history returns the names of the events a channel holds.
func history(t *testing.T, b bus.Bus, channel string) string {
	t.Helper()
	page, err := b.Resume(t.Context(), channel, bus.FromStart(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range page.Events {
		names = append(names, d.Event.Name)
	}
	return strings.Join(names, " ")
}

func TestRepeatPublishesOnce(t *testing.T) {
	s, b := onMembus(t)
	const body = `[{"channel":"a","event":"one","data":1},{"channels":["a","b"],"event":"two","data":2}]`
	first := resultsOf(t, s.publish(t, body, "Idempotency-Key", "K"))
	again := resultsOf(t, s.publish(t, body, "Idempotency-Key", "K"))
	if len(first) != 3 || len(again) != 3 {
		t.Fatalf("%d and %d results", len(first), len(again))
	}
	for i := range first {
		if first[i].Duplicate || first[i].ID == "" {
			t.Errorf("first %d: %+v", i, first[i])
		}
		if !again[i].Duplicate || again[i].ID != first[i].ID || again[i].Channel != first[i].Channel {
			t.Errorf("again %d: %+v", i, again[i])
		}
	}
	if got := history(t, b, "a") + "; " + history(t, b, "b"); got != "one two; two" {
		t.Errorf("history %q", got)
	}
	if s.metrics.published != 3 {
		t.Errorf("%d counted", s.metrics.published)
	}
	// White space and the order of fields make no other event.
	other := resultsOf(t, s.publish(t, `[ {"data": 1,"event":"one","channel":"a","history":true} ]`, "Idempotency-Key", "K"))
	if !other[0].Duplicate {
		t.Errorf("%+v", other)
	}
}

func TestKeyForAnotherEvent(t *testing.T) {
	s, b := onMembus(t)
	resultsOf(t, s.publish(t, `{"channel":"a","event":"one","data":1,"key":"k"}`))
	x := s.publish(t, `[{"channel":"a","event":"two","data":1},{"channels":["b","a"],"event":"three","data":1,"key":"k"}]`)
	p := wantRefused(t, x, http.StatusUnprocessableEntity, "key_reused")
	if len(p.Errors) != 1 || p.Errors[0].Index != 1 || p.Errors[0].Pointer != "/1/key" || p.Errors[0].Code != "key_reused" {
		t.Errorf("errors %+v", p.Errors)
	}
	if len(p.Results) != 3 || p.Results[0].ID == "" || p.Results[1].ID == "" || p.Results[2].Error == nil {
		t.Errorf("results %+v", p.Results)
	}
	if got := history(t, b, "a") + "; " + history(t, b, "b"); got != "one two; three" {
		t.Errorf("history %q", got)
	}
}

func TestKeyOfATransientEvent(t *testing.T) {
	s, _ := onMembus(t)
	const body = `{"channel":"a","event":"e","data":1,"history":false}`
	if first := resultsOf(t, s.publish(t, body, "Idempotency-Key", "K")); first[0].ID != "" || first[0].Duplicate {
		t.Errorf("first %+v", first)
	}
	if again := resultsOf(t, s.publish(t, body, "Idempotency-Key", "K")); again[0].ID != "" || !again[0].Duplicate {
		t.Errorf("again %+v", again)
	}
	p := wantRefused(t, s.publish(t, `{"channel":"a","event":"e","data":2,"history":false}`, "Idempotency-Key", "K"), 422, "key_reused")
	if p.Errors[0].Pointer != "" || p.Errors[0].Index != 0 {
		t.Errorf("errors %+v", p.Errors)
	}
}

// The same key and event twice in one request is a repeat, not a mistake.
func TestRepeatWithinARequest(t *testing.T) {
	s, b := onMembus(t)
	results := resultsOf(t, s.publish(t, `[{"channel":"a","event":"e","data":{"x":1},"key":"k"},
		{"channel":"a","event":"e","data":{ "x": 1 },"key":"k"},
		{"channel":"b","event":"other","data":1,"key":"k"}]`))
	if results[0].Duplicate || !results[1].Duplicate || results[1].ID != results[0].ID || results[2].Duplicate {
		t.Errorf("%+v", results)
	}
	if got := history(t, b, "a"); got != "e" {
		t.Errorf("history %q", got)
	}
}

// The key that the header gives to item 1 can be another item's own.
func TestHeaderKeyMeetsOwnKey(t *testing.T) {
	s, b := onMembus(t)
	p := wantRefused(t, s.publish(t, `[{"channel":"a","event":"one","data":1,"key":"K/1"},{"channel":"a","event":"two","data":1}]`,
		"Idempotency-Key", "K"), 422, "invalid_item")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/1" || p.Errors[0].Code != "key_reused" {
		t.Errorf("errors %+v", p.Errors)
	}
	if got := history(t, b, "a"); got != "" {
		t.Errorf("history %q", got)
	}
}

func TestRepeatsAtOnce(t *testing.T) {
	s, b := onMembus(t)
	var wg sync.WaitGroup
	answers := make([]string, 8)
	for i := range answers {
		wg.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/events", strings.NewReader(oneEvent))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Idempotency-Key", "K")
			answer, err := s.client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Error(err)
			}
			answers[i] = string(body)
		})
	}
	wg.Wait()
	page, err := b.Resume(t.Context(), "orders.42", bus.FromStart(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Events) != 1 {
		t.Fatalf("%d events", len(page.Events))
	}
	duplicates := 0
	for _, answer := range answers {
		if !strings.Contains(answer, page.Events[0].Event.ID.String()) {
			t.Errorf("answer %s", answer)
		}
		duplicates += strings.Count(answer, `"duplicate":true`)
	}
	if duplicates != len(answers)-1 {
		t.Errorf("%d of %d answers say duplicate", duplicates, len(answers))
	}
}

func TestItemsKeepTheirOrder(t *testing.T) {
	s, b := onMembus(t)
	results := resultsOf(t, s.publish(t, `[`+repeat(50, func(i int) string {
		return fmt.Sprintf(`{"channel":"a","event":"e%02d","data":null}`, i)
	})+`]`))
	page, err := b.Resume(t.Context(), "a", bus.FromStart(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range page.Events {
		if want := fmt.Sprintf("e%02d", i); d.Event.Name != want || results[i].ID != d.Event.ID.String() {
			t.Fatalf("event %d: %s %s, result %+v", i, d.Event.Name, d.Event.ID, results[i])
		}
	}
	if len(page.Events) != 50 {
		t.Errorf("%d events", len(page.Events))
	}
}

func TestBusIsClosed(t *testing.T) {
	s, b := onMembus(t)
	b.Close()
	wantRefused(t, s.publish(t, oneEvent), http.StatusServiceUnavailable, "unavailable")
	wantRefused(t, s.do(t, call{path: "/v1/channels/a"}), http.StatusServiceUnavailable, "unavailable")
}
