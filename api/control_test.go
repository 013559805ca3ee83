package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"relay/api"
	"relay/auth"
	"relay/bus"
	"relay/hub"
	"relay/membus"
)

func TestChannelState(t *testing.T) {
	s := serve(t)
	s.rooms.census = hub.Census{Local: 3, Total: 7, Relays: 2, Complete: true}
	x := s.do(t, call{path: "/v1/channels/orders.42"})
	const want = `{"channel":"orders.42","subscribers":{"relay":3,"all":7,"relays":2,"complete":true},"position":"1795334400123-1-Xk3vQ9"}`
	if x.Status != http.StatusOK || string(x.Body) != want {
		t.Errorf("%d %s", x.Status, x.Body)
	}
}

// The position is the one of the event published last, and 0 before the first.
func TestChannelPosition(t *testing.T) {
	b := membus.New(bus.Everywhere(bus.Retention{Size: 10, TTL: time.Hour, PositionTTL: time.Hour}))
	t.Cleanup(b.Close)
	s := serve(t, func(o *api.Options) { o.Bus = b })
	position := func() string {
		var state struct{ Position string }
		decode(t, s.do(t, call{path: "/v1/channels/orders.42"}).Body, &state)
		return state.Position
	}
	if got := position(); !strings.Contains(got, "-0-") {
		t.Errorf("position %q before the first event", got)
	}
	id := resultsOf(t, s.publish(t, oneEvent))[0].ID
	if got := position(); got != id {
		t.Errorf("position %q, want %q", got, id)
	}
}

func TestChannelNamesInPaths(t *testing.T) {
	s := serve(t)
	for _, name := range []string{
		"plain", "a/b", "/", "a b", "100%", "%2F", "a%2Fb", "Räume/übersicht", "a+b", "a?b#c", "a;b", "😀", "a:b@c", "..", "a//b", `"quoted"\`,
	} {
		s.rooms.channel = ""
		x := s.do(t, call{path: "/v1/channels/" + url.PathEscape(name)})
		var state struct{ Channel string }
		decode(t, x.Body, &state)
		if x.Status != http.StatusOK || state.Channel != name || s.rooms.channel != name {
			t.Errorf("%q: %d %s", name, x.Status, x.Body)
		}
	}
	for _, path := range []string{"_control", "a*", "%7Ba%7D", "%00", "%FF", "%20a", strings.Repeat("a", 256)} {
		s.rooms.channel = ""
		wantRefused(t, s.do(t, call{path: "/v1/channels/" + path}), http.StatusBadRequest, "invalid_channel")
		if s.rooms.channel != "" {
			t.Errorf("%q: the rooms were asked", path)
		}
	}
}

func TestDisconnect(t *testing.T) {
	s := serve(t)
	s.rooms.done = hub.Disconnected{Connections: 2, Complete: true}
	for _, test := range []struct {
		body   string
		who    hub.Target
		reason string
	}{
		{`{"user":"ada"}`, hub.Target{User: "ada"}, ""},
		{`{"connection":"7hQ2mZ","reason":"Zeit für Kaffee"}`, hub.Target{Connection: "7hQ2mZ"}, "Zeit für Kaffee"},
		{`{"reason":"","user":"a b"}`, hub.Target{User: "a b"}, ""},
	} {
		x := s.do(t, call{path: "/v1/disconnect", body: test.body})
		if x.Status != http.StatusOK || string(x.Body) != `{"connections":2,"complete":true}` {
			t.Errorf("%s: %d %s", test.body, x.Status, x.Body)
		}
		if s.rooms.who != test.who || s.rooms.reason != test.reason {
			t.Errorf("%s: %+v %q", test.body, s.rooms.who, s.rooms.reason)
		}
	}
}

func TestDisconnectRefuses(t *testing.T) {
	s := serve(t)
	for body, want := range map[string]string{
		`{}`:                               `either "user" or "connection"`,
		`{"reason":"x"}`:                   `either "user" or "connection"`,
		`{"user":"ada","connection":"x"}`:  `either "user" or "connection"`,
		`{"user":""}`:                      "/user",
		`{"user":"a\u0000"}`:               "/user",
		`{"user":7}`:                       "/user: This must be a string, not a number",
		`{"connection":""}`:                "/connection",
		`{"user":"ada","reason":"a\nb"}`:   "/reason",
		`{"user":"ada","reason":null}`:     "/reason",
		`{"user":"ada","resaon":"x"}`:      `no field "resaon"`,
		`[]`:                               "an object, not a list",
		`"ada"`:                            "an object, not a string",
		`{"user":1,"reason":2,"colour":3}`: "Problems found in all: 3",
		`{"connection":"` + strings.Repeat("x", 65) + `"}`:          "/connection",
		`{"user":"ada","reason":"` + strings.Repeat("é", 62) + `"}`: "at most 123 bytes",
	} {
		p := wantRefused(t, s.do(t, call{path: "/v1/disconnect", body: body}), http.StatusBadRequest, "invalid_request")
		if !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %q", body, p.Detail)
		}
	}
	for _, body := range []string{"", "{", `{"user":"a","user":"b"}`, `{"user":"a"}{}`, "user=ada"} {
		wantRefused(t, s.do(t, call{method: http.MethodPost, path: "/v1/disconnect", body: body}), http.StatusBadRequest, "invalid_json")
	}
	if s.rooms.who != (hub.Target{}) {
		t.Errorf("disconnected %+v", s.rooms.who)
	}
}

func TestToken(t *testing.T) {
	s := serve(t)
	verifier := auth.NewVerifier(func() []byte { return []byte(secret) })
	for _, test := range []struct {
		body string
		ttl  time.Duration
		subs int
	}{
		{`{"user":"ada","subscribe":["orders.42","news.*"],"ttl":"15m"}`, 15 * time.Minute, 2},
		{`{"user":"ada","subscribe":[]}`, time.Hour, 0},
		{`{"user":"ada","subscribe":["*"],"ttl":"1s"}`, time.Second, 1},
		{`{"user":"ada","subscribe":["*"],"ttl":"720h"}`, 720 * time.Hour, 1},
	} {
		before := time.Now()
		x := s.do(t, call{path: "/v1/tokens", body: test.body})
		after := time.Now()
		var answer struct {
			Token     string
			ExpiresAt time.Time `json:"expires_at"`
		}
		if x.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", test.body, x.Status, x.Body)
		}
		decode(t, x.Body, &answer)
		// Mint rounds up to a whole second.
		if answer.ExpiresAt.Before(before.Add(test.ttl)) || answer.ExpiresAt.After(after.Add(test.ttl+time.Second)) {
			t.Errorf("%s: expires %s", test.body, answer.ExpiresAt)
		}
		if test.ttl < time.Minute {
			continue // on a slow machine it can be over
		}
		grant, err := verifier.Verify(answer.Token)
		if err != nil {
			t.Fatalf("%s: %v", test.body, err)
		}
		if grant.User != "ada" || len(grant.Subscribe) != test.subs || !grant.Expires.Equal(answer.ExpiresAt) {
			t.Errorf("%s: %+v", test.body, grant)
		}
	}
}

func TestTokenRefuses(t *testing.T) {
	s := serve(t)
	for body, want := range map[string]string{
		`{}`:                                          `"user" is missing`,
		`{"user":"ada"}`:                              `"subscribe" is missing`,
		`{"user":"","subscribe":[]}`:                  "/user",
		`{"user":"ada","subscribe":"*"}`:              "/subscribe: This must be a list",
		`{"user":"ada","subscribe":["",1]}`:           "/subscribe/0",
		`{"user":"ada","subscribe":["a*b"]}`:          "/subscribe/0",
		`{"user":"ada","subscribe":[],"ttl":"30d"}`:   "/ttl: A ttl looks like",
		`{"user":"ada","subscribe":[],"ttl":3600}`:    "/ttl: This must be a string",
		`{"user":"ada","subscribe":[],"ttl":"0s"}`:    "between 1s and 720h",
		`{"user":"ada","subscribe":[],"ttl":"-1h"}`:   "between 1s and 720h",
		`{"user":"ada","subscribe":[],"ttl":"721h"}`:  "cannot be taken back",
		`{"user":"ada","subscribe":[],"ttl":"999ms"}`: "between 1s and 720h",
		`{"user":"ada","subscribe":[],"exp":1}`:       `no field "exp"`,
		`{"user":"ada","subscribe":[` + repeat(200, func(int) string { return `"` + strings.Repeat("x", 200) + `"` }) + `]}`: "at most",
	} {
		p := wantRefused(t, s.do(t, call{path: "/v1/tokens", body: body}), http.StatusBadRequest, "invalid_request")
		if !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %q", body, p.Detail)
		}
	}
}

// The secret comes from a file that can be empty or spoilt.
func TestTokenWithoutSecret(t *testing.T) {
	var inForce []byte
	s := serve(t, func(o *api.Options) { o.Tokens = func() []byte { return inForce } })
	for _, inForce = range [][]byte{nil, {}, []byte("too short")} {
		x := s.do(t, call{path: "/v1/tokens", body: `{"user":"ada","subscribe":[]}`})
		if p := wantRefused(t, x, http.StatusNotImplemented, "not_configured"); !strings.Contains(p.Detail, "RELAY_JWT_SECRET") {
			t.Errorf("detail %q", p.Detail)
		}
	}
	inForce = []byte(secret)
	if x := s.do(t, call{path: "/v1/tokens", body: `{"user":"ada","subscribe":[]}`}); x.Status != http.StatusOK {
		t.Errorf("%d %s", x.Status, x.Body)
	}
}
