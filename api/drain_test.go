package api_test

import (
	"net/http"
	"testing"
)

func TestDrain(t *testing.T) {
	s := serve(t)
	ask := func(method string, status int, want string) {
		t.Helper()
		x := s.do(t, call{method: method, path: "/v1/drain"})
		if x.Status != status || string(x.Body) != want {
			t.Errorf("%s: %d %s, want %d %s", method, x.Status, x.Body, status, want)
		}
	}
	ask(http.MethodGet, http.StatusOK, `{"state":"serving","connections":3}`)
	if s.leaver.asked != 0 {
		t.Error("to look is to leave")
	}
	waiting := `{"state":"waiting","connections":3,"deadline":"2026-11-26T10:00:27Z"}`
	ask(http.MethodPost, http.StatusAccepted, waiting)
	ask(http.MethodPost, http.StatusAccepted, waiting)
	ask(http.MethodGet, http.StatusOK, waiting)
	if s.leaver.asked != 2 {
		t.Errorf("asked to leave %d times", s.leaver.asked)
	}
}

func TestDrainNeedsKey(t *testing.T) {
	s := serve(t, keys("one"))
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if x := s.do(t, call{method: method, path: "/v1/drain"}); x.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", method, x.Status, x.Body)
		}
	}
	page := map[string]string{"Origin": "http://127.0.0.1", "Authorization": "Bearer one"}
	if x := s.do(t, call{method: http.MethodPost, path: "/v1/drain", header: page}); x.Status != http.StatusForbidden {
		t.Errorf("a page: %d %s", x.Status, x.Body)
	}
	if s.leaver.asked != 0 {
		t.Error("strangers made it leave")
	}
}
