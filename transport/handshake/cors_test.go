package handshake_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"relay/event"
	"relay/transport/handshake"
)

var corsOptions = handshake.Options{
	Open:            true,
	LoopbackOrigins: true,
	Origins:         []string{"https://app.example.com", "https://*.example.org"},
}

func serveCORS(t *testing.T, o handshake.Options, r *http.Request) (answer *http.Response, reached bool) {
	t.Helper()
	w := httptest.NewRecorder()
	refused := 0
	newPolicy(t, o).CORS(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached = true
		w.WriteHeader(http.StatusOK)
	}), func(event.Code) { refused++ }).ServeHTTP(w, r)
	if told := refused == 1; told != (w.Code >= 400) {
		t.Errorf("%d, and refused was told %d times", w.Code, refused)
	}
	return w.Result(), reached
}

func TestCORS(t *testing.T) {
	star := handshake.Options{Open: true, Origins: []string{"*", "https://app.example.com"}}
	tests := []struct {
		name        string
		options     handshake.Options
		headers     []string
		status      int
		allowed     string
		credentials string
	}{
		{"no origin", corsOptions, nil, 200, "", ""},
		{"own", corsOptions, []string{"Origin", "https://relay.test"}, 200, "https://relay.test", "true"},
		{"listed", corsOptions, []string{"Origin", "https://app.example.com"}, 200, "https://app.example.com", "true"},
		{"by pattern", corsOptions, []string{"Origin", "https://x.example.org"}, 200, "https://x.example.org", ""},
		{"loopback", corsOptions, []string{"Origin", "http://localhost:3000"}, 200, "http://localhost:3000", ""},
		{"any", star, []string{"Origin", "https://evil.com"}, 200, "https://evil.com", ""},
		{"any, null", star, []string{"Origin", "null"}, 200, "null", ""},
		{"any, but listed too", star, []string{"Origin", "https://app.example.com"}, 200, "https://app.example.com", "true"},
		{"foreign", corsOptions, []string{"Origin", "https://evil.com"}, 403, "", ""},
		{"null", corsOptions, []string{"Origin", "null"}, 403, "", ""},
		{"embedded elsewhere", corsOptions, []string{"Sec-Fetch-Site", "cross-site"}, 403, "", ""},
		{"rebound name", handshake.Options{OpenLocal: true, LoopbackOrigins: true}, []string{"Origin", "http://relay.test"}, 403, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer, reached := serveCORS(t, test.options, request("relay.test", "/v1/sse", test.headers...))
			if answer.StatusCode != test.status || reached != (test.status == 200) {
				t.Errorf("status %d, handler reached: %v; want status %d", answer.StatusCode, reached, test.status)
			}
			wantHeader(t, answer, "Vary", "Origin")
			wantHeader(t, answer, "Access-Control-Allow-Origin", test.allowed)
			wantHeader(t, answer, "Access-Control-Allow-Credentials", test.credentials)
			wantHeader(t, answer, "Access-Control-Allow-Methods", "")
			if reached {
				wantHeader(t, answer, "Access-Control-Expose-Headers", "Retry-After")
			} else {
				wantHeader(t, answer, "Content-Type", "application/problem+json")
			}
		})
	}
}

func TestCORSPreflight(t *testing.T) {
	preflight := func(origin string) *http.Request {
		r := request("relay.test", "/v1/poll", "Origin", origin,
			"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
		r.Method = http.MethodOptions
		return r
	}
	answer, reached := serveCORS(t, corsOptions, preflight("https://app.example.com"))
	if answer.StatusCode != http.StatusNoContent || reached {
		t.Errorf("status %d, handler reached: %v", answer.StatusCode, reached)
	}
	wantHeader(t, answer, "Vary", "Origin")
	wantHeader(t, answer, "Access-Control-Allow-Origin", "https://app.example.com")
	wantHeader(t, answer, "Access-Control-Allow-Credentials", "true")
	wantHeader(t, answer, "Access-Control-Allow-Methods", "GET")
	wantHeader(t, answer, "Access-Control-Allow-Headers", "Authorization, Last-Event-ID, Cache-Control")
	wantHeader(t, answer, "Access-Control-Max-Age", "7200")

	answer, reached = serveCORS(t, corsOptions, preflight("https://evil.com"))
	if answer.StatusCode != http.StatusForbidden || reached {
		t.Errorf("foreign preflight: status %d, handler reached: %v", answer.StatusCode, reached)
	}
	wantHeader(t, answer, "Access-Control-Allow-Origin", "")

	// Without a method to ask about it is no preflight, and the door's affair.
	plain := request("relay.test", "/v1/poll", "Origin", "https://app.example.com")
	plain.Method = http.MethodOptions
	if _, reached = serveCORS(t, corsOptions, plain); !reached {
		t.Error("an OPTIONS request that is no preflight did not reach the handler")
	}
}

func wantHeader(t *testing.T, answer *http.Response, name, want string) {
	t.Helper()
	if got := answer.Header.Get(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}
