package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"relay/api"
	"relay/bus"
	"relay/event"
	"relay/membus"
	"relay/tests/contract"
)

// historyPage is an answer of GET /v1/channels/{channel}/events.
type historyPage struct {
	Channel string
	Events  []struct {
		ID, Event string
		Data      int
		Exclude   []string
	}
	Position, Next, Reset string
}

// serveHistory serves a real bus, so that Resume and Delete are the real ones.
func serveHistory(t *testing.T, size int) *server {
	b := membus.New(bus.Everywhere(bus.Retention{Size: size, TTL: time.Hour, PositionTTL: time.Hour}))
	t.Cleanup(b.Close)
	return serve(t, func(o *api.Options) { o.Bus = b })
}

// numbers publishes the numbers from 1 to n and returns their ids.
func (s *server) numbers(t *testing.T, channel string, n int) (ids []string) {
	t.Helper()
	for _, r := range resultsOf(t, s.publish(t, "["+repeat(n, func(i int) string {
		return fmt.Sprintf(`{"channel":%q,"event":"n","data":%d,"exclude":["x%d"]}`, channel, i+1, i+1)
	})+"]")) {
		ids = append(ids, r.ID)
	}
	return ids
}

func (s *server) history(t *testing.T, channel, query string) (page historyPage) {
	t.Helper()
	x := s.do(t, call{path: "/v1/channels/" + url.PathEscape(channel) + "/events" + query})
	if x.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", query, x.Status, x.Body)
	}
	decode(t, x.Body, &page)
	if page.Channel != channel {
		t.Errorf("asked for %q, got %q", channel, page.Channel)
	}
	return page
}

func TestHistoryInPages(t *testing.T) {
	s := serveHistory(t, 500)
	const channel = "räume/für alle"
	ids := s.numbers(t, channel, 250)
	for query, want := range map[string][]int{"": {100, 100, 50}, "?limit=125": {125, 125}, "?limit=1000": {250}} {
		var got []string
		since := ""
		for i, n := range want {
			q := query
			if since != "" {
				q = "?since=" + since + strings.Replace(query, "?", "&", 1)
			}
			page := s.history(t, channel, q)
			if len(page.Events) != n || page.Position != ids[249] || page.Reset != "" {
				t.Fatalf("%s, page %d: %d events, position %s, reset %q", query, i, len(page.Events), page.Position, page.Reset)
			}
			for _, e := range page.Events {
				if e.Event != "n" || e.Data != len(got)+1 || !slices.Equal(e.Exclude, []string{fmt.Sprintf("x%d", e.Data)}) {
					t.Fatalf("%+v after %d events", e, len(got))
				}
				got = append(got, e.ID)
			}
			since = page.Next
			if last := i == len(want)-1; last != (since == "") {
				t.Fatalf("%s, page %d of %d: next %q", query, i, len(want), since)
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%s: other ids than were published", query)
		}
	}
	if page := s.history(t, channel, "?since="+ids[249]); len(page.Events) > 0 || page.Next != "" || page.Reset != "" {
		t.Errorf("since the last event: %+v", page)
	}
}

// The answer is exact to the byte where an app would notice.
func TestHistoryAnswer(t *testing.T) {
	s := serveHistory(t, 10)
	id := resultsOf(t, s.publish(t, `{"channel":"c","event":"e","data":{"n": 12345678901234567890, "html": "<&>"}}`))[0].ID
	x := s.do(t, call{path: "/v1/channels/c/events"})
	want := `{"channel":"c","events":[{"id":"` + id + `","event":"e","data":{"n":12345678901234567890,"html":"<&>"}}],"position":"` + id + `"}`
	if string(x.Body) != want {
		t.Errorf("got  %s\nwant %s", x.Body, want)
	}
	empty := s.do(t, call{path: "/v1/channels/nobody/events"})
	if !strings.Contains(string(empty.Body), `"events":[],`) {
		t.Errorf("an empty history: %s", empty.Body)
	}
}

func TestHistoryReset(t *testing.T) {
	s := serveHistory(t, 10)
	ids := s.numbers(t, "c", 30)
	beyond, err := event.ParsePosition(ids[29])
	if err != nil {
		t.Fatal(err)
	}
	beyond.Offset += 5
	for since, want := range map[string]string{ids[0]: "trimmed", beyond.String(): "diverged"} {
		if page := s.history(t, "c", "?since="+since); page.Reset != want || len(page.Events) > 0 || page.Position != ids[29] || page.Next != "" {
			t.Errorf("since %s: %+v, want %s", since, page, want)
		}
	}
	if page := s.history(t, "nobody", "?since="+ids[0]); page.Reset != "unknown" {
		t.Errorf("in a channel that nobody knows: %+v", page)
	}
}

func TestDeleteHistory(t *testing.T) {
	s := serveHistory(t, 10)
	ids := s.numbers(t, "c", 3)
	s.numbers(t, "d", 1)
	for range 2 {
		x := s.do(t, call{method: http.MethodDelete, path: "/v1/channels/c/events"})
		if x.Status != http.StatusNoContent || len(x.Body) > 0 {
			t.Fatalf("%d %s", x.Status, x.Body)
		}
	}
	if page := s.history(t, "c", ""); len(page.Events) > 0 || page.Position != ids[2] {
		t.Errorf("after the deletion: %+v", page)
	}
	if page := s.history(t, "c", "?since="+ids[2]); page.Reset != "" {
		t.Errorf("since the last event that was deleted: %+v", page)
	}
	if page := s.history(t, "c", "?since="+ids[0]); page.Reset != "trimmed" {
		t.Errorf("since an earlier one: %+v", page)
	}
	if page := s.history(t, "d", ""); len(page.Events) != 1 {
		t.Errorf("another channel: %+v", page)
	}
}

func TestHistoryRefuses(t *testing.T) {
	s := serveHistory(t, 10)
	for query, want := range map[string]string{
		"?since=":                     "since is a position",
		"?since=start":                `not "start"`,
		"?since=1-1-short":            "since is a position",
		"?since=1-1-aaaaaa~2":         "since is a position",
		"?since=1-1-a&since=1-1-b":    "since stands 2 times",
		"?limit=":                     "from 1 to 1000",
		"?limit=0":                    `not "0"`,
		"?limit=1001":                 "from 1 to 1000",
		"?limit=-1":                   "from 1 to 1000",
		"?limit=ten":                  "from 1 to 1000",
		"?limit=99999999999999999999": "from 1 to 1000",
		"?limit=1&limit=1":            "limit stands 2 times",
		"?since=%zz":                  "percent-encode",
		"?limit=1;2":                  "percent-encode",
	} {
		p := wantRefused(t, s.do(t, call{path: "/v1/channels/c/events" + query}), http.StatusBadRequest, "invalid_request")
		if !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %q", query, p.Detail)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		for _, name := range []string{"_control", "a*", "%00", "%20a", strings.Repeat("a", 256)} {
			x := s.do(t, call{method: method, path: "/v1/channels/" + name + "/events"})
			wantRefused(t, x, http.StatusBadRequest, "invalid_channel")
		}
	}
}

// Whatever the query holds, the answer is one of the contract, and what is
// accepted the contract accepts.
func FuzzHistoryQuery(f *testing.F) {
	for _, seed := range []string{"", "since=1795334400123-1-Xk3vQ9&limit=5", "limit=01", "limit=+5", "since=%31-1-aaaaaa", "since=0-0-000000", "limit=1e2", "SINCE=1", "&&="} {
		f.Add(seed)
	}
	a := api.New(api.Options{Bus: &recorder{}, Rooms: &rooms{}})
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "/v1/channels/c/events", http.NoBody)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("%q: status %d", query, w.Code)
		}
		contract.Check(t, contract.Exchange{Request: r, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()})
	})
}
