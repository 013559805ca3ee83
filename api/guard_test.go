package api_test

import (
	"net/http"
	"strings"
	"testing"

	"relay/api"
	"relay/event"
)

func TestOriginIsRefused(t *testing.T) {
	s := serve(t)
	for _, origin := range []string{"https://page.example", "null", s.url, "http://localhost", ""} {
		for _, c := range []call{
			{path: "/v1/events", body: oneEvent},
			{path: "/v1/channels/a"},
			{path: "/openapi.yaml"},
		} {
			c.header = map[string]string{"Origin": origin}
			wantRefused(t, s.do(t, c), http.StatusForbidden, event.CodeOriginForbidden)
		}
	}
	if len(s.bus.published(t)) > 0 {
		t.Error("published")
	}
}

// A preflight gets no leave either, in any form.
func TestPreflight(t *testing.T) {
	s := serve(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.url+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "https://page.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", answer.StatusCode)
	}
	for name := range answer.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("the answer has %s", name)
		}
	}
}

func TestHostOnLoopback(t *testing.T) {
	s := serve(t)
	for host, good := range map[string]bool{
		"localhost": true, "localhost:8081": true, "LocalHost:1": true,
		"127.0.0.1": true, "127.0.0.1:8081": true, "127.9.8.7:80": true,
		"[::1]": true, "[::1]:8081": true,

		"relay.example": false, "relay.example:8081": false,
		"localhost.relay.example": false, "127.0.0.1.relay.example": false, "localhost.": false,
		"10.0.0.1": false, "0.0.0.0": false, "128.0.0.1": false, "[::]": false, "[::2]:80": false,
		"[::1": false, "127.1": false, "2130706433": false, "0x7f.1": false, "localhost:80:80": false,
	} {
		x := s.do(t, call{path: "/v1/channels/a", host: host})
		switch {
		case good && x.Status != http.StatusOK:
			t.Errorf("Host %q: %d %s", host, x.Status, x.Body)
		case !good:
			if p := wantRefused(t, x, http.StatusForbidden, event.CodeHostForbidden); !strings.Contains(p.Detail, "Host") {
				t.Errorf("detail %q", p.Detail)
			}
		}
	}
}

func TestHostElsewhere(t *testing.T) {
	s := serve(t, keys("k"), func(o *api.Options) { o.Loopback = false })
	x := s.do(t, call{path: "/v1/channels/a", host: "relay.example", header: map[string]string{"Authorization": "Bearer k"}})
	if x.Status != http.StatusOK {
		t.Errorf("%d %s", x.Status, x.Body)
	}
}

func TestKeys(t *testing.T) {
	tests := []struct {
		header string
		good   bool
		detail string
	}{
		{"Bearer first-key", true, ""},
		{"Bearer second-key", true, ""},
		{"bearer second-key", true, ""},
		{"Bearer  first-key", true, ""},
		{"", false, "asks for an API key"},
		{"Bearer", false, "asks for an API key"},
		{"Bearer ", false, "asks for an API key"},
		{"first-key", false, "asks for an API key"},
		{"Basic Zmlyc3Qta2V5Og==", false, "asks for an API key"},
		{"Bearer first-ke", false, "not one of those"},
		{"Bearer first-key1", false, "not one of those"},
		{"Bearer first-key,second-key", false, "not one of those"},
		{"Bearer FIRST-KEY", false, "not one of those"},
	}
	s := serve(t, keys("first-key", "second-key", ""))
	for _, test := range tests {
		c := call{path: "/v1/events", body: oneEvent}
		if test.header != "" {
			c.header = map[string]string{"Authorization": test.header}
		}
		x := s.do(t, c)
		if test.good {
			resultsOf(t, x)
			continue
		}
		p := wantRefused(t, x, http.StatusUnauthorized, event.CodeUnauthorized)
		if !strings.Contains(p.Detail, test.detail) {
			t.Errorf("%q: %q", test.header, p.Detail)
		}
		if got := x.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
			t.Errorf("WWW-Authenticate %q", got)
		}
		if strings.Contains(string(x.Body), "first-ke") {
			t.Errorf("the answer repeats a key: %s", x.Body)
		}
	}
	if n := len(s.bus.published(t)); n != 4 {
		t.Errorf("%d events published, want 4", n)
	}
}

// A second header is not taken for the first one; a proxy in front may have judged either.
func TestTwoKeysInOneRequest(t *testing.T) {
	s := serve(t, keys("k"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/channels/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = []string{"Bearer k", "Bearer other"}
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d", answer.StatusCode)
	}
}

// Keys come from a file that can change while the relay runs.
func TestKeysChange(t *testing.T) {
	var inForce []string
	s := serve(t, func(o *api.Options) { o.Keys = func() []string { return inForce } })
	get := func(key string) int {
		c := call{path: "/v1/channels/a"}
		if key != "" {
			c.header = map[string]string{"Authorization": "Bearer " + key}
		}
		return s.do(t, c).Status
	}
	if got := get(""); got != http.StatusOK {
		t.Errorf("without keys: %d", got)
	}
	if got := get("whatever"); got != http.StatusOK {
		t.Errorf("a key where none is asked for: %d", got)
	}
	inForce = []string{"old"}
	if get("") != http.StatusUnauthorized || get("old") != http.StatusOK {
		t.Error("the first key is not in force")
	}
	inForce = []string{"new"}
	if get("old") != http.StatusUnauthorized || get("new") != http.StatusOK {
		t.Error("the new key is not in force")
	}
}

func TestConsole(t *testing.T) {
	s := serve(t, keys("not asked for here"))
	own := strings.TrimPrefix(s.url, "http://")
	port := own[strings.LastIndexByte(own, ':'):]
	for _, test := range []struct {
		host, origin string
		code         event.Code // empty: published
	}{
		{"", s.url, ""},
		{"localhost" + port, "http://localhost" + port, ""},
		{"LOCALHOST" + port, "http://localhost" + port, ""},
		{"localhost:443", "https://localhost:443", ""},
		{"", "", event.CodeOriginForbidden},
		{"", "null", event.CodeOriginForbidden},
		{"", "https://page.example", event.CodeOriginForbidden},
		{"", "http://127.0.0.1:1", event.CodeOriginForbidden},
		{"", "http://localhost" + port, event.CodeOriginForbidden},
		{"", "file://" + own, event.CodeOriginForbidden},
		{"", own, event.CodeOriginForbidden},
		{"page.example" + port, "http://page.example" + port, event.CodeHostForbidden},
		{"page.example" + port, s.url, event.CodeHostForbidden},
	} {
		c := call{path: "/console/events", body: oneEvent, host: test.host, header: map[string]string{}}
		if test.origin != "" {
			c.header["Origin"] = test.origin
		}
		x := s.do(t, c)
		if test.code == "" {
			if len(resultsOf(t, x)) != 1 {
				t.Errorf("%+v: %s", test, x.Body)
			}
			continue
		}
		wantRefused(t, x, http.StatusForbidden, test.code)
	}
	if n := len(s.bus.published(t)); n != 4 {
		t.Errorf("%d events published, want 4", n)
	}
}
