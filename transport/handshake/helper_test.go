package handshake_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"relay/auth"
	"relay/event"
	"relay/problem"
	"relay/transport/handshake"
)

const testSecret = "0123456789abcdef0123456789abcdef"

func newVerifier() *auth.Verifier {
	return auth.NewVerifier(func() []byte { return []byte(testSecret) })
}

func mint(tb testing.TB, user string, patterns ...event.Pattern) string {
	tb.Helper()
	token, _, err := auth.Mint([]byte(testSecret), user, patterns, time.Hour, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func newPolicy(tb testing.TB, o handshake.Options) *handshake.Policy {
	tb.Helper()
	p, err := handshake.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// request makes one for host; headers are name, value, name, value … and a
// name may come twice.
func request(host, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// wantProblem checks a refusal; status 0 means that there must be none.
func wantProblem(t *testing.T, got *problem.Problem, status int, code event.Code, words ...string) {
	t.Helper()
	if status == 0 {
		if got != nil {
			t.Fatalf("refused with %v", got)
		}
		return
	}
	if got == nil {
		t.Fatalf("not refused, want %d %s", status, code)
	}
	if got.Status != status || got.Code != code {
		t.Errorf("refused with %v, want %d %s", got, status, code)
	}
	if !strings.HasSuffix(got.Detail, ".") && !strings.HasSuffix(got.Detail, ".)") {
		t.Errorf("detail %q is not a sentence", got.Detail)
	}
	for _, w := range words {
		if !strings.Contains(got.Detail, w) {
			t.Errorf("detail %q does not say %q", got.Detail, w)
		}
	}
}
