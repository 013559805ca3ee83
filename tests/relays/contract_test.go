package relays

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"relay/tests/contract"
	"relay/tests/relaytest"
)

// ask sends one request to a running relay and holds the answer against
// openapi.yaml. Of a stream, the first line is read.
func ask(t *testing.T, method, url, body string, headers ...string) contract.Exchange {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(r) // no redirect is followed
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	x := contract.Exchange{Request: r, Status: res.StatusCode, Header: res.Header}
	if body != "" {
		x.RequestBody = []byte(body)
	}
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols:
		return x // what follows are frames; relaytest.Next checks those
	case res.Header.Get("Content-Type") == "text/event-stream":
		first := make([]byte, 256)
		n, _ := res.Body.Read(first)
		x.Body = bytes.TrimSpace(first[:n])
	default:
		if x.Body, err = io.ReadAll(res.Body); err != nil {
			t.Fatal(err)
		}
	}
	contract.Check(t, x)
	return x
}

// Every operation of the contract is asked of the running program, on the
// listener that the contract names; api's own tests do the same for every
// documented answer of the api listener.
func TestEveryOperation(t *testing.T) {
	open := relaytest.Start(t)
	guarded := relaytest.Start(t, "RELAY_JWT_SECRET="+secret, "RELAY_API_KEYS=key", "RELAY_MAX_CONNECTIONS=1")
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	token := sign(t, `{"sub":"alice","exp":9999999999,"subscribe":["a"]}`)
	key := "Authorization: Bearer key"

	asked := map[string]bool{}
	for _, c := range []struct {
		listener, method, path, body string
		headers                      []string
		status                       int
	}{
		{open.APIURL, "POST", "/v1/events", number("a", 1), nil, 200},
		{guarded.APIURL, "POST", "/v1/events", number("a", 1), nil, 401},
		{guarded.APIURL, "POST", "/v1/events", number("a", 1), []string{key}, 200},
		{open.APIURL, "POST", "/v1/events", number("a*", 1), nil, 422},
		{open.APIURL, "POST", "/v1/events", `{`, nil, 400},
		{open.APIURL, "POST", "/v1/events", number("a", 1), []string{"Origin: http://localhost"}, 403},
		{open.APIURL, "GET", "/v1/channels/a", "", nil, 200},
		{open.APIURL, "GET", "/v1/channels/r%C3%A4ume%2F1", "", nil, 200},
		{open.APIURL, "GET", "/v1/channels/a/events", "", nil, 200},
		{open.APIURL, "GET", "/v1/channels/r%C3%A4ume%2F1/events?limit=1", "", nil, 200},
		{open.APIURL, "GET", "/v1/channels/a/events?since=yesterday", "", nil, 400},
		{open.APIURL, "DELETE", "/v1/channels/a/events", "", nil, 204},
		{guarded.APIURL, "DELETE", "/v1/channels/a/events", "", nil, 401},
		{open.APIURL, "POST", "/v1/disconnect", `{"user":"alice"}`, nil, 200},
		{open.APIURL, "POST", "/v1/tokens", `{"user":"alice","subscribe":["a"]}`, nil, 501},
		{guarded.APIURL, "POST", "/v1/tokens", `{"user":"alice","subscribe":["a"]}`, []string{key}, 200},
		{open.APIURL, "GET", "/openapi.yaml", "", nil, 200},
		{open.PublicURL, "GET", "/v1/ws?channel=a", "", upgrade, 101},
		{open.PublicURL, "GET", "/v1/ws?channel=a", "", nil, 426},
		{open.PublicURL, "GET", "/v1/ws?channel=a", "", append([]string{"Origin: http://evil.example"}, upgrade...), 403},
		{guarded.PublicURL, "GET", "/v1/sse?channel=a&token=" + token, "", nil, 200},
		{guarded.PublicURL, "GET", "/v1/sse?channel=a", "", nil, 401},
		{guarded.PublicURL, "GET", "/v1/sse?channel=b&token=" + token, "", nil, 403},
		{guarded.PublicURL, "GET", "/v1/sse", "", nil, 400},
		{open.PublicURL, "GET", "/v1/poll?channel=a", "", nil, 200},
		{open.PublicURL, "GET", "/v1/poll?channel=a&since=start", "", nil, 200},
		{open.PublicURL, "GET", "/v1/poll?channel=a&wait=1h", "", nil, 400},
		{guarded.PublicURL, "GET", "/v1/poll?channel=a", "", nil, 401},
		{guarded.PublicURL, "GET", "/v1/poll?channel=b&token=" + token, "", nil, 403},
		{open.PublicURL, "POST", "/console/events", number("a", 1), []string{"Origin: " + open.PublicURL}, 200},
		{open.PublicURL, "POST", "/console/events", number("a", 1), []string{"Origin: http://evil.example"}, 403},
		{open.PublicURL, "POST", "/console/events", number("a", 1), nil, 403},
		{open.OpsURL, "GET", "/livez", "", nil, 200},
		{open.OpsURL, "GET", "/startupz", "", nil, 200},
		{open.OpsURL, "GET", "/readyz", "", nil, 200},
		{open.OpsURL, "GET", "/metrics", "", nil, 200},
		{guarded.APIURL, "POST", "/v1/drain", "", nil, 401},
		{guarded.APIURL, "GET", "/v1/drain", "", nil, 401},
		{guarded.APIURL, "GET", "/v1/drain", "", []string{key}, 200},
		{open.APIURL, "POST", "/v1/drain", "", nil, 202},
		{open.APIURL, "GET", "/v1/drain", "", nil, 200},
		{open.OpsURL, "GET", "/readyz", "", nil, 503},
		{guarded.OpsURL, "GET", "/readyz", "", nil, 200},
	} {
		x := ask(t, c.method, c.listener+c.path, c.body, c.headers...)
		if x.Status != c.status {
			t.Errorf("%s %s: %d, want %d\n%s", c.method, c.path, x.Status, c.status, x.Body)
		}
		path, _, _ := strings.Cut(c.path, "?")
		if rest, ok := strings.CutPrefix(path, "/v1/channels/"); ok {
			_, rest, _ = strings.Cut(rest, "/")
			path = strings.TrimSuffix("/v1/channels/{channel}/"+rest, "/")
		}
		asked[c.method+" "+path] = true
	}
	for path, item := range contract.Document().Paths.Map() {
		for method := range item.Operations() {
			if !asked[method+" "+path] {
				t.Errorf("the contract has %s %s, which is not asked here", method, path)
			}
		}
	}

	x := ask(t, "POST", guarded.PublicURL+"/console/events", number("a", 1), "Origin: "+guarded.PublicURL)
	if x.Status != http.StatusNotFound {
		t.Errorf("test events without a key where keys are set: %d", x.Status)
	}
}

func TestReadiness(t *testing.T) {
	r := relaytest.Start(t, "RELAY_REDIS_URL=redis://127.0.0.1:1")
	relaytest.Eventually(t, "the reason to be told", func() bool {
		x := ask(t, "GET", r.OpsURL+"/readyz", "")
		if x.Status != http.StatusServiceUnavailable {
			t.Fatalf("ready without ever having seen Redis: %d %s", x.Status, x.Body)
		}
		return bytes.Contains(x.Body, []byte("refused"))
	})
	for _, path := range []string{"/livez", "/startupz"} {
		if x := ask(t, "GET", r.OpsURL+path, ""); x.Status != http.StatusOK {
			t.Errorf("%s waits for Redis: %d", path, x.Status)
		}
	}
	if x := ask(t, "POST", r.APIURL+"/v1/events", number("a", 1)); x.Status != http.StatusServiceUnavailable || x.Header.Get("Retry-After") == "" {
		t.Errorf("publish: %d %s", x.Status, x.Body)
	}

	for _, strict := range []bool{false, true} {
		env := "RELAY_READY_STRICT=false"
		if strict {
			env = "RELAY_READY_STRICT=true"
		}
		relays, redis := onOneRedis(t, 1, env)
		redis.Stop()
		want := http.StatusOK
		if strict {
			want = http.StatusServiceUnavailable
		}
		relaytest.Eventually(t, "the outage to be noticed", func() bool {
			return strings.Contains(relays[0].Log(), "lost")
		})
		if x := ask(t, "GET", relays[0].OpsURL+"/readyz", ""); x.Status != want {
			t.Errorf("an outage of Redis, %s: %d, want %d", env, x.Status, want)
		}
	}
}
