package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"relay/client"
	"relay/event"
)

// api answers publish requests and keeps what was asked.
type api struct {
	status int
	header map[string]string
	body   string

	request *http.Request
	heard   string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.request, a.heard = r, string(body)
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func publish(t *testing.T, a *api, o client.PublishOptions, events ...client.Event) ([]client.Result, error) {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	o.URL = server.URL + "/base"
	o.HTTPClient = server.Client()
	return client.Publish(context.Background(), o, events...)
}

func TestPublish(t *testing.T) {
	a := &api{status: 200, body: `{"results":[{"channel":"a","id":"1-1-aaaaaa"},{"channel":"b","id":"1-2-bbbbbb","duplicate":true}]}`}
	results, err := publish(t, a, client.PublishOptions{Key: "k", IdempotencyKey: "once"},
		client.Event{Channel: "a", Event: "x", Data: json.RawMessage(`{"n":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	if want := []client.Result{{Channel: "a", ID: "1-1-aaaaaa"}, {Channel: "b", ID: "1-2-bbbbbb", Duplicate: true}}; !reflect.DeepEqual(results, want) {
		t.Errorf("results %+v", results)
	}
	if a.request.Method != "POST" || a.request.URL.Path != "/base/v1/events" {
		t.Errorf("%s %s", a.request.Method, a.request.URL)
	}
	for name, want := range map[string]string{"Authorization": "Bearer k", "Idempotency-Key": "once", "Content-Type": "application/json", "Origin": ""} {
		if got := a.request.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if want := `{"channel":"a","event":"x","data":{"n":1}}`; a.heard != want {
		t.Errorf("sent %s, want %s", a.heard, want)
	}
}

func TestPublishSeveral(t *testing.T) {
	a := &api{status: 200, body: `{"results":[]}`}
	_, err := publish(t, a, client.PublishOptions{},
		client.Event{Channels: []string{"a", "b"}, Event: "x", Exclude: []string{"c1"}, Key: "k1"},
		client.Event{Channel: "c", Event: "y", Transient: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"channels":["a","b"],"event":"x","data":null,"exclude":["c1"],"key":"k1"},{"channel":"c","event":"y","data":null,"history":false}]`
	if a.heard != want {
		t.Errorf("sent %s,\nwant %s", a.heard, want)
	}
	if a.request.Header.Get("Authorization") != "" {
		t.Error("sent a key that it does not have")
	}
}

func TestPublishProblems(t *testing.T) {
	const media = "application/problem+json"
	for _, tt := range []struct {
		name string
		api  api
		want client.Problem
		text string
	}{
		{
			name: "items",
			api: api{status: 422, header: map[string]string{"Content-Type": media},
				body: `{"type":"urn:relay:problem:invalid_item","title":"Unprocessable Entity","status":422,"code":"invalid_item","detail":"nothing was published",
					"errors":[{"index":1,"pointer":"/1/channel","code":"invalid_channel","detail":"a channel needs a name"}]}`},
			want: client.Problem{Type: "urn:relay:problem:invalid_item", Title: "Unprocessable Entity", Status: 422, Code: event.CodeInvalidItem, Detail: "nothing was published",
				Errors: []client.ItemProblem{{Index: 1, Pointer: "/1/channel", Code: event.CodeInvalidChannel, Detail: "a channel needs a name"}}},
			text: "the relay answered 422 Unprocessable Entity: nothing was published; event 1 (/1/channel): a channel needs a name",
		},
		{
			name: "in the middle",
			api: api{status: 503, header: map[string]string{"Content-Type": media, "Retry-After": "3"},
				body: `{"title":"Service Unavailable","code":"unavailable","results":[{"channel":"a","id":"1-1-aaaaaa"}]}`},
			want: client.Problem{Title: "Service Unavailable", Status: 503, Code: event.CodeUnavailable, RetryAfter: 3 * time.Second,
				Results: []client.Result{{Channel: "a", ID: "1-1-aaaaaa"}}},
			text: "the relay answered 503 Service Unavailable",
		},
		{
			name: "somebody else",
			api:  api{status: 404, header: map[string]string{"Content-Type": "text/html"}, body: `<h1>Not here</h1>`},
			want: client.Problem{Title: "Not Found", Status: 404, Detail: "no relay seems to listen there"},
			text: "the relay answered 404 Not Found: no relay seems to listen there",
		},
		{
			name: "broken problem",
			api:  api{status: 500, header: map[string]string{"Content-Type": media}, body: `{`},
			want: client.Problem{Title: "Internal Server Error", Status: 500, Detail: "no relay seems to listen there"},
			text: "the relay answered 500 Internal Server Error: no relay seems to listen there",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			results, err := publish(t, &tt.api, client.PublishOptions{}, client.Event{Channel: "a"})
			var p *client.Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v", err)
			}
			if !reflect.DeepEqual(*p, tt.want) {
				t.Errorf("got %+v\nwant %+v", *p, tt.want)
			}
			if err.Error() != tt.text {
				t.Errorf("says %q", err)
			}
			if len(results) != len(tt.want.Results) {
				t.Errorf("results %v", results)
			}
		})
	}
}

// A POST that is sent elsewhere would take the key along and lose its body.
func TestPublishFollowsNoRedirect(t *testing.T) {
	var elsewhere bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere = true }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	_, err := client.Publish(context.Background(), client.PublishOptions{URL: server.URL, Key: "k"}, client.Event{Channel: "a"})
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != 307 || elsewhere {
		t.Errorf("got %v, elsewhere %v", err, elsewhere)
	}
}

func TestPublishMistakes(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	good := client.Event{Channel: "a", Event: "x"}
	for _, tt := range []struct {
		url    string
		events []client.Event
		want   string
	}{
		{"localhost", []client.Event{good}, "must begin with http://"},
		{"http://localhost", nil, "no event to publish"},
		{"http://localhost", []client.Event{{Channel: "a", Data: json.RawMessage("{")}}, "cannot be written as JSON"},
		{gone.URL, []client.Event{good}, "the relay cannot be reached: dial tcp"},
	} {
		if _, err := client.Publish(context.Background(), client.PublishOptions{URL: tt.url}, tt.events...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.url, err, tt.want)
		}
	}
	a := &api{status: 200, body: "<html>"}
	if _, err := publish(t, a, client.PublishOptions{}, good); err == nil || !strings.Contains(err.Error(), "may or may not be published") {
		t.Errorf("an unreadable answer: %v", err)
	}
}
