package handshake_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"relay/event"
	"relay/transport/handshake"
)

// FuzzOrigin compares the decision with what a real URL parser makes of the
// same text: whatever is let in must, for that parser too, be an origin of the
// kind that was allowed, without a user name, a path or anything else.
func FuzzOrigin(f *testing.F) {
	for _, seed := range [][2]string{
		{"https://relay.test", "relay.test"}, {"http://relay.test:80", "relay.test"},
		{"http://localhost@evil.com", "localhost"}, {"http://localhost.evil.com", "localhost"},
		{"http://[::1]:3000", "[::1]:8080"}, {"http://[::1%25lo]", "[::1]"}, {"null", "relay.test"},
		{"https://app.example.com", "x"}, {"https://x.example.org", "x"}, {"https://.example.org", "x"},
		{`http://localhost\@evil.com`, "x"}, {"http://evil.com#.localhost", "x"}, {"http://127.1", "x"},
		{"http://\u212aelvin.test", "kelvin.test"}, {"http://a:0", "a"}, {"file://", ""}, {"", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	p := newPolicy(f, handshake.Options{Open: true, LoopbackOrigins: true,
		Origins: []string{"https://app.example.com", "https://*.example.org"}})
	f.Fuzz(func(t *testing.T, origin, host string) {
		refusal := p.Admit(request(host, "/", "Origin", origin))
		if refusal != nil {
			if refusal.Status != http.StatusForbidden || refusal.Code != event.CodeOriginForbidden || refusal.Detail == "" {
				t.Fatalf("refused with %v", refusal)
			}
			return
		}
		if origin == "" {
			return
		}
		u, err := url.Parse(origin)
		if err != nil {
			t.Fatalf("let in %q: %v", origin, err)
		}
		if u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("let in %q, which is more than an origin", origin)
		}
		name := strings.ToLower(u.Hostname())
		switch {
		case name == "localhost", strings.HasSuffix(name, ".localhost"), strings.HasPrefix(name, "127."):
		case name == "app.example.com" && u.Scheme == "https":
		case strings.HasSuffix(name, ".example.org") && len(name) > len(".example.org") && u.Scheme == "https":
		case strings.Contains(name, ":"): // [::1] in one of many spellings, or the own host in another
		default:
			own, _, _ := strings.Cut(strings.ToLower(host), ":")
			if name != own {
				t.Fatalf("let in %q for the host %q", origin, host)
			}
		}
	})
}

// FuzzParseQuery checks what every answer promises, and that no token would
// reach a log.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"", "channel=a", "channel=a&channel=a&channel=b&since=1&since=2&since=3", "channel=%", "channel=a;b",
		"channel=%FF", "channel=_x", "channel=", "since=a&since=b", "resumes=%00", "token=eyJ.x.y", "TOKEN=x&&=&",
		"%74oken=a=b", strings.Repeat("channel=a&", 100), "channel=a&channel=b&channel=c&channel=d&channel=e",
	} {
		f.Add(seed)
	}
	const most = 4
	f.Fuzz(func(t *testing.T, raw string) {
		q, refusal := handshake.ParseQuery(queried(raw), most)
		if refusal != nil {
			if refusal.Status != http.StatusBadRequest || refusal.Code == "" || refusal.Detail == "" {
				t.Fatalf("refused with %v", refusal)
			}
			return
		}
		if len(q.Channels) > most {
			t.Fatalf("%d channels", len(q.Channels))
		}
		for i, name := range q.Channels {
			if err := event.CheckChannel(name); err != nil {
				t.Fatalf("channel %q: %v", name, err)
			}
			if slices.Contains(q.Channels[:i], name) {
				t.Fatalf("channel %q twice", name)
			}
		}
		if n := len(q.Since); n > 1 && n != len(q.Channels) {
			t.Fatalf("%d since for %d channels", n, len(q.Channels))
		}
		if len(q.Resumes) > event.MaxConnectionIDBytes {
			t.Fatalf("resumes %q", q.Resumes)
		}

		secret := "the-secret-that-nobody-logs"
		for _, name := range []string{"token", "ticket"} {
			if logged := handshake.RedactedURL(queried(raw + "&" + name + "=" + secret)); strings.Contains(logged, secret) {
				t.Fatalf("%q is logged as %q", raw, logged)
			}
		}
	})
}
