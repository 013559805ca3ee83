package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"relay/console"
	"relay/problem"
)

func serve(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func revalidate(h http.Handler, path, etag string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("If-None-Match", etag)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerPaths(t *testing.T) {
	tests := []struct {
		publicPath, method, path string
		status                   int
		contentType              string
	}{
		{"", "GET", "/", 200, "text/html; charset=utf-8"},
		{"", "HEAD", "/", 200, "text/html; charset=utf-8"},
		{"", "GET", "/console/console.css", 200, "text/css; charset=utf-8"},
		{"", "GET", "/console/console.js", 200, "text/javascript; charset=utf-8"},
		{"", "GET", "/console/icon.svg", 200, "image/svg+xml"},
		{"", "GET", "/console/config.json", 200, "application/json"},
		{"", "GET", "/console/", 404, problem.ContentType},
		{"", "GET", "/console/index.html", 404, problem.ContentType},
		{"", "GET", "/console/../console.go", 404, problem.ContentType},
		{"", "GET", "/v1/elsewhere", 404, problem.ContentType},
		{"", "POST", "/", 405, problem.ContentType},
		{"", "POST", "/console/events", 404, problem.ContentType},
		{"/live", "GET", "/live/", 200, "text/html; charset=utf-8"},
		{"/live", "GET", "/live/console/config.json", 200, "application/json"},
		{"/live", "GET", "/live", 308, "text/html; charset=utf-8"},
		{"/live", "POST", "/live", 405, problem.ContentType},
		{"/live", "GET", "/", 404, problem.ContentType},
		{"/live", "GET", "/console/config.json", 404, problem.ContentType},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path+" below "+tt.publicPath, func(t *testing.T) {
			h := console.Handler(console.Options{PublicPath: tt.publicPath})
			w := serve(h, tt.method, tt.path)
			if w.Code != tt.status || w.Header().Get("Content-Type") != tt.contentType {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Header().Get("Content-Type"), tt.status, tt.contentType)
			}
			if tt.status == 308 && w.Header().Get("Location") != tt.publicPath+"/" {
				t.Errorf("redirects to %q", w.Header().Get("Location"))
			}
			if tt.status == 405 && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}
		})
	}
}

func TestHandlerConfig(t *testing.T) {
	want := console.Options{Publish: true, APIURL: "http://127.0.0.1:8081", TakesTokens: true}
	w := serve(console.Handler(want), "GET", "/console/config.json")
	var got struct {
		Publish     bool   `json:"publish"`
		APIURL      string `json:"api_url"`
		TakesTokens bool   `json:"takes_tokens"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Publish != want.Publish || got.APIURL != want.APIURL || got.TakesTokens != want.TakesTokens {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHandlerHeaders(t *testing.T) {
	h := console.Handler(console.Options{})
	for _, path := range []string{"/", "/console/console.js", "/console/config.json"} {
		header := serve(h, "GET", path).Header()
		for name, want := range map[string]string{
			"Cache-Control":                "no-cache",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", path, name, got, want)
			}
		}
		policy := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want+";") {
				t.Errorf("%s: the policy %q lacks %q", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy allows something unsafe: %q", path, policy)
		}
	}
}

func TestHandlerRevalidates(t *testing.T) {
	h := console.Handler(console.Options{})
	etag := serve(h, "GET", "/").Header().Get("ETag")
	if etag == "" {
		t.Fatal("the page has no ETag")
	}
	if w := revalidate(h, "/", etag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("the same page was sent again: %d", w.Code)
	}
	if w := revalidate(h, "/", `"another"`); w.Code != http.StatusOK || w.Body.Len() == 0 {
		t.Errorf("another page was taken for this one: %d", w.Code)
	}
	other := console.Handler(console.Options{Publish: true})
	const config = "/console/config.json"
	if serve(h, "GET", config).Header().Get("ETag") == serve(other, "GET", config).Header().Get("ETag") {
		t.Error("two configurations have one ETag")
	}
}

// TestHandlerServesWhatThePageNames follows every relative address in the page
// and every import in its scripts.
func TestHandlerServesWhatThePageNames(t *testing.T) {
	h := console.Handler(console.Options{PublicPath: "/live"})
	address := regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	imported := regexp.MustCompile(`from "\./([^"]+)"`)
	queue := []string{}
	for _, m := range address.FindAllStringSubmatch(serve(h, "GET", "/live/").Body.String(), -1) {
		if strings.HasPrefix(m[1], "/") || strings.Contains(m[1], "://") {
			t.Errorf("%q is not relative: it would miss the public path", m[1])
		}
		queue = append(queue, "/live/"+m[1])
	}
	seen := map[string]bool{}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		w := serve(h, "GET", path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		for _, m := range imported.FindAllStringSubmatch(w.Body.String(), -1) {
			queue = append(queue, "/live/console/"+m[1])
		}
	}
	if len(seen) < 10 {
		t.Errorf("the page names %d files only; does this test still understand it?", len(seen))
	}
}
