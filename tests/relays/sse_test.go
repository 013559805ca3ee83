package relays

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"relay/tests/relaytest"
)

func TestEventStream(t *testing.T) {
	r := relaytest.Start(t)
	one := r.EventStream(t, "channel=a")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Cache-Control": "no-store, no-transform",
	} {
		if got := one.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	relaytest.Expect(t, one, "welcome")
	if f := relaytest.Expect(t, one, "subscribed"); f.SSEID != f.ID || f.ID == "" {
		t.Errorf("the cursor over one channel is its position: %+v, id: %q", f, f.SSEID)
	}
	two := r.EventStream(t, "channel=a&channel=räume/1")
	relaytest.Expect(t, two, "welcome")
	for range 2 {
		if f := relaytest.Expect(t, two, "subscribed"); !strings.Contains(f.SSEID, f.ID) || f.SSEID == f.ID {
			t.Errorf("the cursor over two channels: %+v, id: %q", f, f.SSEID)
		}
	}
	r.Publish(t, `[{"channel":"a","event":"line","data":"one\ntwo"},{"channel":"a","event":"quick","data":{ "x" : 1 },"history":false},
		{"channel":"räume/1","event":"line","data":null}]`)
	f := relaytest.Expect(t, one, "event")
	if f.SSEID != f.ID || string(f.Data) != `"one\ntwo"` {
		t.Errorf("%+v %s", f, f.Data)
	}
	if f = relaytest.Expect(t, one, "event"); f.SSEID != "" || f.ID != "" || string(f.Data) != `{"x":1}` {
		t.Errorf("an event without history: %+v %s", f, f.Data)
	}
	cursors := map[string]bool{}
	for range 3 {
		f := relaytest.Expect(t, two, "event")
		if f.ID != "" {
			cursors[f.SSEID] = true
			if strings.Count(f.SSEID, ".") != 2 {
				t.Errorf("a cursor over two channels: %q", f.SSEID)
			}
		}
	}
	if len(cursors) != 2 {
		t.Errorf("the cursor did not move with each event: %v", cursors)
	}
}

func TestEventStreamRefusals(t *testing.T) {
	r := relaytest.Start(t, "RELAY_JWT_SECRET="+secret, "RELAY_PUBLIC_CHANNELS=news", "RELAY_ALLOWED_ORIGINS=https://app.example,https://*.wild.example")
	many := strings.Repeat("&channel=a", 1)
	for i := range 70 {
		many += fmt.Sprintf("&channel=c%d", i)
	}
	for name, c := range map[string]struct {
		query  string
		header string
		status int
		code   string
	}{
		"no channel":     {"", "", 400, "invalid_request"},
		"bad channel":    {"channel=%7B", "", 400, "invalid_channel"},
		"not UTF-8":      {"channel=%ff", "", 400, "invalid_channel"},
		"too many":       {many, "", 400, "too_many_channels"},
		"no token":       {"channel=secret", "", 401, "token_missing"},
		"bad token":      {"channel=secret&token=abc", "", 401, "token_invalid"},
		"bad header":     {"channel=secret", "Authorization: Bearer abc", 401, "token_invalid"},
		"not covered":    {"channel=secret&token=" + sign(t, `{"sub":"a","exp":9999999999,"subscribe":["x"]}`), "", 403, "forbidden"},
		"alg none":       {"channel=news&token=eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.", "", 401, "token_invalid"},
		"not yet valid":  {"channel=news&token=" + sign(t, `{"sub":"a","exp":9999999999,"nbf":9999999998}`), "", 401, "token_invalid"},
		"foreign origin": {"channel=news", "Origin: https://evil.example", 403, "origin_forbidden"},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, c.header)
		}
		s := r.EventStream(t, c.query, headers...)
		if s.Status != c.status || !strings.Contains(s.Body, `"code":"`+c.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", name, s.Status, s.Body, c.status, c.code)
		}
		if got := s.Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s: Content-Type %q", name, got)
		}
		if strings.Contains(s.Body, secret) {
			t.Errorf("%s: the answer tells the secret", name)
		}
	}

	token := sign(t, `{"sub":"alice","exp":9999999999,"subscribe":["secret"]}`)
	for name, headers := range map[string][]string{
		"header":                   {"Authorization: Bearer " + token},
		"cookie":                   {"Cookie: relay_token=" + token},
		"cookie, listed origin":    {"Cookie: relay_token=" + token, "Origin: https://app.example"},
		"header, wildcard origin":  {"Authorization: Bearer " + token, "Origin: https://a.wild.example"},
		"header, loopback's page":  {"Authorization: Bearer " + token, "Origin: http://localhost:3000"},
		"header, origin and port":  {"Authorization: Bearer " + token, "Origin: http://127.0.0.1:9"},
		"header stronger than url": {"Authorization: Bearer " + token},
	} {
		s := r.EventStream(t, "channel=secret", headers...)
		if s.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, s.Status, s.Body)
			continue
		}
		relaytest.Welcome(t, s, 1)
	}
	s := r.EventStream(t, "channel=secret", "Cookie: relay_token="+token, "Origin: https://a.wild.example")
	if s.Status != http.StatusUnauthorized {
		t.Errorf("a cookie from a page that only a pattern allows: %d", s.Status)
	}
	if log := r.Log(); strings.Contains(log, token) || strings.Contains(log, "token=abc") {
		t.Error("a token stands in the log")
	}
}

func TestDrain(t *testing.T) {
	r := relaytest.Start(t)
	ws, sse := r.WebSocket(t, "channel=a"), r.EventStream(t, "channel=a")
	relaytest.Welcome(t, ws, 1)
	relaytest.Welcome(t, sse, 1)
	begin := time.Now()
	r.Signal(syscall.SIGTERM)
	if f := relaytest.Expect(t, ws, "goodbye"); f.Reason != "draining" || f.ReconnectIn <= 0 {
		t.Errorf("%+v", f)
	}
	if code, reason := ws.Closed(t); code != 1001 || reason != "draining" {
		t.Errorf("closed with %d %q", code, reason)
	}
	if f := relaytest.Expect(t, sse, "goodbye"); f.Reason != "draining" || f.SSEID == "" || !strings.Contains(f.Message, fmt.Sprint("retry ", f.ReconnectIn)) {
		t.Errorf("over SSE: %+v", f)
	}
	if code := r.Wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.Log())
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("leaving took %v", took)
	}
}

// A client that neither reads nor answers must not hold the relay beyond its window.
func TestDrainWithFrozenClient(t *testing.T) {
	r := relaytest.Start(t, "RELAY_DRAIN_WINDOW=2s")
	frozen := r.WebSocket(t, "channel=a")
	relaytest.Welcome(t, frozen, 1) // and then never reads again
	r.Signal(syscall.SIGTERM)
	if code := r.Wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.Log())
	}
}

func TestPublicPath(t *testing.T) {
	r := relaytest.Start(t, "RELAY_PUBLIC_PATH=/live")
	root := r.PublicURL
	r.PublicURL += "/live"
	relaytest.Welcome(t, r.WebSocket(t, "channel=a"), 1)
	relaytest.Welcome(t, r.EventStream(t, "channel=a"), 1)
	if a := relaytest.Do(t, "GET", r.PublicURL+"/", ""); a.Status != http.StatusOK || !strings.Contains(a.Body, "<html") {
		t.Errorf("the page: %d", a.Status)
	}
	if a := relaytest.Do(t, "GET", root+"/v1/sse?channel=a", ""); a.Status != http.StatusNotFound {
		t.Errorf("without the path: %d", a.Status)
	}
}
