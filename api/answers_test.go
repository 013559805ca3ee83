package api_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"relay/api"
	"relay/bus"
	"relay/tests/contract"
)

const oneEvent = `{"channel":"orders.42","event":"order.paid","data":{"total":12}}`

// unavailable makes everything fail that the bus or the other relays do.
func (s *server) unavailable() {
	s.rooms.err = bus.ErrUnavailable
	s.bus.resume = bus.ErrUnavailable
	s.bus.answer = func(context.Context, int, bus.Publication) bus.Receipt {
		return bus.Receipt{Err: bus.ErrUnavailable}
	}
}

// Each status that openapi.yaml gives to an operation of this package can be
// got, and docs/errors.md gives its code the same status.
func TestEveryAnswer(t *testing.T) {
	operations := []struct {
		method, path, good, bad string
		console                 bool
	}{
		{method: "POST", path: "/v1/events", good: oneEvent, bad: `[]`},
		{method: "GET", path: "/v1/channels/{channel}"},
		{method: "GET", path: "/v1/channels/{channel}/events"},
		{method: "DELETE", path: "/v1/channels/{channel}/events"},
		{method: "POST", path: "/v1/disconnect", good: `{"user":"ada"}`, bad: `{}`},
		{method: "POST", path: "/v1/tokens", good: `{"user":"ada","subscribe":[]}`, bad: `{}`},
		{method: "GET", path: "/openapi.yaml"},
		{method: "POST", path: "/console/events", good: oneEvent, bad: `[]`, console: true},
	}
	statusInDocs := readErrorsPage(t).status
	for _, op := range operations {
		t.Run(op.method+op.path, func(t *testing.T) {
			documented := contract.Document().Paths.Value(op.path).GetOperation(op.method).Responses.Map()
			for _, text := range sortedKeys(documented) {
				status, err := strconv.Atoi(text)
				if err != nil {
					t.Fatalf("status %q", text)
				}
				c := call{method: op.method, path: strings.Replace(op.path, "{channel}", "orders.42", 1), body: op.good}
				panics := func(o *api.Options) {}
				if status == http.StatusInternalServerError {
					panics = func(o *api.Options) { o.Bus, o.Rooms, o.Tokens = nil, nil, func() []byte { panic("test") } }
				}
				s := serve(t, keys("the-key"), panics, func(o *api.Options) {
					o.MaxRequestBytes = 1000
					if status == http.StatusNotImplemented {
						o.Tokens = nil
					}
				})
				c.header = map[string]string{"Authorization": "Bearer the-key"}
				if op.console {
					c.header = map[string]string{"Origin": s.url}
				}
				switch status {
				case http.StatusBadRequest:
					c.body = op.bad
					c.path = strings.Replace(c.path, "orders.42", "_own", 1)
				case http.StatusUnauthorized:
					delete(c.header, "Authorization")
				case http.StatusForbidden:
					c.header["Origin"] = "https://page.example"
				case http.StatusRequestEntityTooLarge:
					c.body = strings.Repeat(" ", 2000)
				case http.StatusUnprocessableEntity:
					c.body = `{}`
				case http.StatusServiceUnavailable:
					s.unavailable()
				}
				x := s.do(t, c)
				if x.Status != status {
					t.Errorf("status %d, want %d\n%s", x.Status, status, x.Body)
					continue
				}
				if status == http.StatusOK || status == http.StatusNoContent {
					continue
				}
				code := string(problemOf(t, x).Code)
				general := status == http.StatusBadRequest && code == "invalid_channel" // said above that table
				if statusInDocs[code] != text && !general {
					t.Errorf("docs/errors.md gives %s the status %q, the answer was %s", code, statusInDocs[code], text)
				}
				if n := len(s.metrics.refused); n != 1 {
					t.Errorf("%d refusals counted", n)
				}
			}
		})
	}
}

func TestNothingThere(t *testing.T) {
	s := serve(t, keys("the-key"))
	for _, path := range []string{"/", "/v1", "/v1/events/", "/v1/channels/", "/v1/channels/a/b", "/v1/ws", "/metrics", "/v1/nothing%2Fhere"} {
		wantRefused(t, s.do(t, call{path: path}), http.StatusNotFound, "not_found")
	}
	wantRefused(t, s.do(t, call{method: "BREW", path: "/pot"}), http.StatusNotFound, "not_found")
}

func TestMethodNotAllowed(t *testing.T) {
	s := serve(t)
	for _, test := range []struct{ method, path, allow string }{
		{"GET", "/v1/events", "POST"},
		{"DELETE", "/v1/events", "POST"},
		{"POST", "/v1/channels/a", "GET"},
		{"PUT", "/v1/channels/a%2Fb", "GET"},
		{"POST", "/v1/channels/a%2Fb/events", "GET, DELETE"},
		{"POST", "/openapi.yaml", "GET"},
		{"BREW", "/v1/tokens", "POST"},
	} {
		x := s.do(t, call{method: test.method, path: test.path})
		wantRefused(t, x, http.StatusMethodNotAllowed, "method_not_allowed")
		if got := x.Header.Get("Allow"); got != test.allow {
			t.Errorf("%s %s: Allow %q, want %q", test.method, test.path, got, test.allow)
		}
	}
}

func TestContractIsServed(t *testing.T) {
	s := serve(t, keys("the-key"))
	x := s.do(t, call{path: "/openapi.yaml"}) // without the key
	if x.Status != http.StatusOK || !strings.HasPrefix(string(x.Body), "openapi: 3.0.") {
		t.Fatalf("%d\n%.100s", x.Status, x.Body)
	}
}

func TestAnswersAreNotKept(t *testing.T) {
	s := serve(t)
	for _, c := range []call{
		{path: "/v1/tokens", body: `{"user":"ada","subscribe":[]}`},
		{path: "/v1/events", body: oneEvent},
		{path: "/v1/events", body: `{}`},
	} {
		x := s.do(t, c)
		if got := x.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", c.path, got)
		}
		if got := x.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", c.path, got)
		}
	}
}

// What the bus gives no name to is a failure too, and its text is not for the app.
func TestForeignErrors(t *testing.T) {
	s := serve(t)
	s.bus.answer = func(context.Context, int, bus.Publication) bus.Receipt {
		return bus.Receipt{Err: errors.New("password of 10.1.2.3 refused")}
	}
	s.rooms.err = errors.New("password of 10.1.2.3 refused")
	for _, c := range []call{
		{path: "/v1/events", body: oneEvent},
		{path: "/v1/channels/a"},
		{path: "/v1/disconnect", body: `{"user":"ada"}`},
	} {
		x := s.do(t, c)
		wantRefused(t, x, http.StatusServiceUnavailable, "unavailable")
		if strings.Contains(string(x.Body), "10.1.2.3") {
			t.Errorf("%s tells too much: %s", c.path, x.Body)
		}
		if x.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After %q", c.path, x.Header.Get("Retry-After"))
		}
	}
	if !slices.Contains(s.metrics.refused, "unavailable") || s.metrics.published != 0 {
		t.Errorf("counted: %+v", s.metrics)
	}
}
