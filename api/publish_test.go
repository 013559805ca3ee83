package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"relay/api"
	"relay/bus"
	"relay/event"
)

// What is posted is what is published.
func TestPublications(t *testing.T) {
	tests := []struct {
		name, body, key string
		want            []bus.Publication
	}{
		{"one", oneEvent, "", []bus.Publication{
			{Channel: "orders.42", Name: "order.paid", Data: []byte(`{"total":12}`)},
		}},
		{"channels", `{"channels":["b","a"],"event":"x","data":null,"exclude":["one","two"],"history":false}`, "", []bus.Publication{
			{Channel: "b", Name: "x", Data: []byte(`null`), Exclude: []string{"one", "two"}, Transient: true},
			{Channel: "a", Name: "x", Data: []byte(`null`), Exclude: []string{"one", "two"}, Transient: true},
		}},
		{"history said", `{"channel":"a","event":"x","data":"","history":true,"exclude":[]}`, "", []bus.Publication{
			{Channel: "a", Name: "x", Data: []byte(`""`)},
		}},
		{"fields in any order, with white space", " {\n\t\"data\" : { \"a b\" : [ 1.50 , \" \\\" { \" ] } ,\r\n\"event\":\"x\",\"channel\":\"a\"}\n", "", []bus.Publication{
			{Channel: "a", Name: "x", Data: []byte(`{"a b":[1.50," \" { "]}`)},
		}},
		{"names in Unicode", `{"channel":"Räume/übersicht 1","event":"😀 \u0041","data":"\ud83d\ude00"}`, "", []bus.Publication{
			{Channel: "Räume/übersicht 1", Name: "😀 A", Data: []byte(`"\ud83d\ude00"`)},
		}},
		{"escaped field name", `{"\u0063hannel":"a","event":"x","data":1}`, "", []bus.Publication{
			{Channel: "a", Name: "x", Data: []byte(`1`)},
		}},
		{"array, with the header's key", `[{"channel":"a","event":"x","data":1},{"channels":["a","b"],"event":"y","data":2},{"channel":"a","event":"z","data":3,"key":"own"}]`, "K", []bus.Publication{
			{Channel: "a", Name: "x", Data: []byte(`1`), Key: "K/0"},
			{Channel: "a", Name: "y", Data: []byte(`2`), Key: "K/1"},
			{Channel: "b", Name: "y", Data: []byte(`2`), Key: "K/1"},
			{Channel: "a", Name: "z", Data: []byte(`3`), Key: "own"},
		}},
		{"array of one, with the header's key", `[{"channel":"a","event":"x","data":1}]`, "K", []bus.Publication{
			{Channel: "a", Name: "x", Data: []byte(`1`), Key: "K/0"},
		}},
		{"one, with the header's key", `{"channels":["a","b"],"event":"x","data":1}`, " order 42 ", []bus.Publication{
			{Channel: "a", Name: "x", Data: []byte(`1`), Key: "order 42"},
			{Channel: "b", Name: "x", Data: []byte(`1`), Key: "order 42"},
		}},
		{"one, with two keys", `{"channel":"a","event":"x","data":1,"key":"own"}`, "K", []bus.Publication{
			{Channel: "a", Name: "x", Data: []byte(`1`), Key: "own"},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t)
			var header []string
			if test.key != "" {
				header = []string{"Idempotency-Key", test.key}
			}
			results := resultsOf(t, s.publish(t, test.body, header...))
			if got := s.bus.published(t); !reflect.DeepEqual(got, test.want) {
				t.Errorf("published\n%+v\nwant\n%+v", got, test.want)
			}
			if len(s.bus.batches) != 1 {
				t.Errorf("%d calls of Publish, want one", len(s.bus.batches))
			}
			for i, r := range results {
				id := firstPosition.String()
				if test.want[i].Transient {
					id = ""
				}
				if r.Channel != test.want[i].Channel || r.ID != id || r.Duplicate || r.Error != nil {
					t.Errorf("result %d: %+v", i, r)
				}
			}
			if len(results) != len(test.want) || s.metrics.published != len(test.want) {
				t.Errorf("%d results, %d counted, want %d", len(results), s.metrics.published, len(test.want))
			}
		})
	}
}

func TestLargestRequest(t *testing.T) {
	s := serve(t)
	item := `{"channels":[` + repeat(10, func(i int) string { return fmt.Sprintf(`"c%d"`, i) }) + `],"event":"e","data":1}`
	results := resultsOf(t, s.publish(t, `[`+repeat(1000, func(int) string { return item })+`]`))
	if len(results) != 10_000 {
		t.Errorf("%d results", len(results))
	}
}

// All events of a request were posted when it came.
func TestWhenItWasPosted(t *testing.T) {
	s := serve(t)
	before := time.Now()
	resultsOf(t, s.publish(t, `[`+oneEvent+`,{"channels":["a","b"],"event":"x","data":1}]`))
	after := time.Now()
	if len(s.bus.posted) != 3 {
		t.Fatalf("%d published", len(s.bus.posted))
	}
	for _, posted := range s.bus.posted {
		if posted.Before(before) || posted.After(after) || posted != s.bus.posted[0] {
			t.Errorf("posted %v, of a request between %v and %v", s.bus.posted, before, after)
		}
	}
}

// curl sends a form's Content-Type unless told otherwise.
func TestContentTypeIsIgnored(t *testing.T) {
	s := serve(t)
	for _, contentType := range []string{"application/x-www-form-urlencoded", "text/plain", "nonsense"} {
		resultsOf(t, s.publish(t, oneEvent, "Content-Type", contentType))
	}
}

func TestHeaderKeyRules(t *testing.T) {
	s := serve(t)
	for _, key := range []string{"", strings.Repeat("k", 256), "ключ", "a\tb"} {
		p := wantRefused(t, s.publish(t, oneEvent, "Idempotency-Key", key), http.StatusBadRequest, "invalid_key")
		if !strings.Contains(p.Detail, "Idempotency-Key") {
			t.Errorf("detail %q", p.Detail)
		}
	}
	resultsOf(t, s.publish(t, oneEvent, "Idempotency-Key", strings.Repeat("~", 255)))
	if n := len(s.bus.published(t)); n != 1 {
		t.Errorf("%d events published", n)
	}
}

// fail makes the bus refuse publications by their place in the batch.
func fail(failures map[int]error) func(context.Context, int, bus.Publication) bus.Receipt {
	return func(_ context.Context, i int, _ bus.Publication) bus.Receipt {
		if err := failures[i]; err != nil {
			return bus.Receipt{Err: err}
		}
		return bus.Receipt{ID: firstPosition}
	}
}

func TestBusFailsInTheMiddle(t *testing.T) {
	body := func(keys ...string) string {
		return `[` + repeat(3, func(i int) string {
			key := ""
			if i < len(keys) {
				key = `,"key":"` + keys[i] + `"`
			}
			return fmt.Sprintf(`{"channel":"c%d","event":"e","data":1%s}`, i, key)
		}) + `]`
	}
	for _, test := range []struct {
		name, body, header string
		failures           map[int]error
		status             int
		errors             []string // "index pointer"
		results            []string // code, or empty if published
		advice             string
	}{
		{"no keys", body(), "", map[int]error{1: bus.ErrUnavailable}, 503, nil, []string{"", "unavailable", ""}, "a second time"},
		{"some keys", body("a", "b"), "", map[int]error{1: bus.ErrUnavailable}, 503, nil, []string{"", "unavailable", ""}, "a second time"},
		{"own keys", body("a", "b", "c"), "", map[int]error{2: bus.ErrUnavailable}, 503, nil, []string{"", "", "unavailable"}, "that is safe"},
		{"header", body(), "K", map[int]error{0: bus.ErrUnavailable, 1: bus.ErrUnavailable, 2: bus.ErrUnavailable}, 503, nil,
			[]string{"unavailable", "unavailable", "unavailable"}, "that is safe"},
		{"wrapped", body(), "K", map[int]error{0: fmt.Errorf("down: %w", bus.ErrUnavailable)}, 503, nil, []string{"unavailable", "", ""}, "1 of 3"},
		{"reused", body("a"), "K", map[int]error{0: bus.ErrKeyReused, 2: bus.ErrKeyReused}, 422,
			[]string{"0 /0/key", "2 /2"}, []string{"key_reused", "", "key_reused"}, "2 of 3"},
		{"reused and unavailable", body(), "K", map[int]error{0: bus.ErrKeyReused, 1: bus.ErrUnavailable}, 503, nil,
			[]string{"key_reused", "unavailable", ""}, "1 of 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t)
			s.bus.answer = fail(test.failures)
			var header []string
			if test.header != "" {
				header = []string{"Idempotency-Key", test.header}
			}
			x := s.publish(t, test.body, header...)
			code := "unavailable"
			if test.status == 422 {
				code = "key_reused"
			}
			if x.Status != test.status || string(problemOf(t, x).Code) != code {
				t.Fatalf("%d\n%s", x.Status, x.Body)
			}
			p := problemOf(t, x)
			if !strings.Contains(p.Detail, test.advice) {
				t.Errorf("detail %q", p.Detail)
			}
			var errors, results []string
			for _, e := range p.Errors {
				errors = append(errors, fmt.Sprint(e.Index, " ", e.Pointer))
			}
			for i, r := range p.Results {
				code := ""
				if r.Error != nil {
					code = string(r.Error.Code)
				}
				if r.Channel != fmt.Sprintf("c%d", i) || (r.ID == "") == (code == "") {
					t.Errorf("result %d: %+v", i, r)
				}
				results = append(results, code)
			}
			if !slices.Equal(errors, test.errors) || !slices.Equal(results, test.results) {
				t.Errorf("errors %q, want %q\nresults %q, want %q", errors, test.errors, results, test.results)
			}
			if retry := x.Header.Get("Retry-After"); (retry == "1") != (test.status == 503) {
				t.Errorf("Retry-After %q", retry)
			}
			if want := 3 - len(test.failures); s.metrics.published != want {
				t.Errorf("%d counted, want %d", s.metrics.published, want)
			}
			outcome := map[int]event.Outcome{200: event.PublishTaken, 422: event.PublishReused, 503: event.PublishFailed}[test.status]
			if !slices.Equal(s.metrics.outcomes, []event.Outcome{outcome}) {
				t.Errorf("counted as %q, want %q", s.metrics.outcomes, outcome)
			}
		})
	}
}

// An app that gives up waiting has published all the same, but not for ever.
func TestPublishOutlivesTheClient(t *testing.T) {
	type key struct{}
	b := &recorder{}
	b.answer = func(ctx context.Context, _ int, _ bus.Publication) bus.Receipt {
		if err := ctx.Err(); err != nil {
			t.Errorf("the bus got a context that is over: %v", err)
		}
		if _, limited := ctx.Deadline(); !limited {
			t.Error("the bus got a context without an end")
		}
		if ctx.Value(key{}) != "kept" {
			t.Error("the bus got a context without the request's values")
		}
		return bus.Receipt{ID: firstPosition}
	}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/events", strings.NewReader(oneEvent))
	w := httptest.NewRecorder()
	api.New(api.Options{Bus: b, Rooms: &rooms{}}).ServeHTTP(w, r)
	if w.Code != http.StatusOK || len(b.published(t)) != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// History keeps data for minutes: it must not hold on to the body it came in.
func TestDataIsACopy(t *testing.T) {
	s := serve(t)
	resultsOf(t, s.publish(t, `[{"channel":"a","event":"e","data":"first"},{"channel":"b","event":"e","data":"second"}]`+strings.Repeat(" ", 1<<20)))
	for _, p := range s.bus.published(t) {
		if cap(p.Data) > 2*len(p.Data)+16 {
			t.Errorf("%s: %d bytes of data hold %d", p.Channel, len(p.Data), cap(p.Data))
		}
	}
}
