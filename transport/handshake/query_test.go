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

// queried makes a request whose query came off the wire like this, which
// httptest would refuse to build in some cases.
func queried(raw string) *http.Request {
	return &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/v1/ws", RawQuery: raw}, Header: http.Header{}}
}

func TestParseQuery(t *testing.T) {
	tests := []struct {
		name, raw string
		want      handshake.Query
	}{
		{"nothing", "", handshake.Query{}},
		{"one", "channel=a", handshake.Query{Channels: []string{"a"}}},
		{"order and repetition", "channel=b&channel=a&channel=b&channel=c&channel=a", handshake.Query{Channels: []string{"b", "a", "c"}}},
		{"encoded", "channel=Raum%201%20%26%20%E2%80%9E2%E2%80%9C&channel=a+b", handshake.Query{Channels: []string{"Raum 1 & „2“", "a b"}}},
		{"case counts", "channel=A&channel=a", handshake.Query{Channels: []string{"A", "a"}}},
		{"cursor", "channel=a&channel=b&since=X", handshake.Query{Channels: []string{"a", "b"}, Since: []string{"X"}}},
		{"positions", "channel=a&since=1&channel=b&since=2", handshake.Query{Channels: []string{"a", "b"}, Since: []string{"1", "2"}}},
		{"positions move with their channels", "channel=a&channel=a&channel=b&since=1&since=2&since=3", handshake.Query{Channels: []string{"a", "b"}, Since: []string{"1", "3"}}},
		{"cursor over a repeated channel", "channel=a&channel=a&since=X", handshake.Query{Channels: []string{"a"}, Since: []string{"X"}}},
		{"since is raw", "channel=a&since=%00%2A", handshake.Query{Channels: []string{"a"}, Since: []string{"\x00*"}}},
		{"empty since", "channel=a&since=", handshake.Query{Channels: []string{"a"}, Since: []string{""}}},
		{"resumes", "resumes=Xk3vQ9-_.~", handshake.Query{Resumes: "Xk3vQ9-_.~"}},
		{"resumes of 64 bytes", "resumes=" + strings.Repeat("x", 64), handshake.Query{Resumes: strings.Repeat("x", 64)}},
		{"unknown parameters", "foo=1&bar&=&Channel=x&token=t", handshake.Query{}},
		{"stray separators", "&&channel=a&", handshake.Query{Channels: []string{"a"}}},
		{"as many as allowed, and one again", "channel=a&channel=b&channel=c&channel=a", handshake.Query{Channels: []string{"a", "b", "c"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, refusal := handshake.ParseQuery(queried(test.raw), 3)
			wantProblem(t, refusal, 0, "")
			if !slices.Equal(got.Channels, test.want.Channels) || !slices.Equal(got.Since, test.want.Since) || got.Resumes != test.want.Resumes {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestParseQueryRefuses(t *testing.T) {
	tests := []struct {
		name, raw string
		code      event.Code
		words     []string
	}{
		{"four of three", "channel=a&channel=b&channel=c&channel=d", event.CodeTooManyChannels, []string{"4", "3"}},
		{"empty name", "channel=", event.CodeInvalidChannel, []string{"Channel 1", "needs a name"}},
		{"asterisk", "channel=a&channel=b*", event.CodeInvalidChannel, []string{"Channel 2", `"b*"`, "'*'"}},
		{"brace", "channel=%7Ba%7D", event.CodeInvalidChannel, []string{"'{'"}},
		{"relay's own", "channel=_canary", event.CodeInvalidChannel, []string{"relay's own"}},
		{"not UTF-8", "channel=%FF", event.CodeInvalidChannel, []string{"UTF-8"}},
		{"line break", "channel=a%0Ab", event.CodeInvalidChannel, []string{"control characters"}},
		{"too long", "channel=" + strings.Repeat("x", 256), event.CodeInvalidChannel, []string{"255", "…"}},
		{"white space at the end", "channel=a+", event.CodeInvalidChannel, []string{"white space"}},

		{"bad escape", "channel=a%zz", event.CodeInvalidRequest, []string{"%zz", "encodeURIComponent"}},
		{"half an escape", "channel=a%2", event.CodeInvalidRequest, []string{"encodeURIComponent"}},
		{"bad escape elsewhere", "channel=a&foo=%", event.CodeInvalidRequest, []string{"encodeURIComponent"}},
		{"semicolon", "channel=a;channel=b", event.CodeInvalidRequest, []string{"semicolon"}},

		{"two since for three channels", "channel=a&channel=b&channel=c&since=1&since=2", event.CodeInvalidRequest, []string{"2 since", "3 channel"}},
		{"two since for one channel", "channel=a&since=1&since=2", event.CodeInvalidRequest, []string{"2 since", "1 channel"}},
		{"two since for none", "since=1&since=2", event.CodeInvalidRequest, []string{"2 since"}},

		{"resumes too long", "resumes=" + strings.Repeat("x", 65), event.CodeInvalidRequest, []string{"resumes", "64"}},
		{"resumes with a space", "resumes=a+b", event.CodeInvalidRequest, []string{"resumes"}},
		{"resumes with a line break", "resumes=a%0Ab", event.CodeInvalidRequest, []string{"resumes"}},
		{"resumes not ASCII", "resumes=%C3%A9", event.CodeInvalidRequest, []string{"resumes"}},
		{"resumes not UTF-8", "resumes=%FF", event.CodeInvalidRequest, []string{"resumes"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, refusal := handshake.ParseQuery(queried(test.raw), 3)
			wantProblem(t, refusal, 400, test.code, test.words...)
			if got.Channels != nil || got.Since != nil || got.Resumes != "" {
				t.Errorf("refused, and answered %q", got)
			}
		})
	}
}

func TestRedactedURL(t *testing.T) {
	tests := []struct{ path, raw, want string }{
		{"/v1/ws", "", "/v1/ws"},
		{"/v1/ws", "channel=a&since=b", "/v1/ws?channel=a&since=b"},
		{"/v1/ws", "token=secret", "/v1/ws?token=REDACTED"},
		{"/v1/ws", "channel=a&token=secret&x=y", "/v1/ws?channel=a&token=REDACTED&x=y"},
		{"/v1/ws", "token=secret&token=secret", "/v1/ws?token=REDACTED&token=REDACTED"},
		{"/v1/ws", "ticket=secret&channel=a", "/v1/ws?ticket=REDACTED&channel=a"},
		{"/v1/ws?ticket=secret", "", "/v1/ws%3Fticket=REDACTED"},
		{"/v1/ws", "TOKEN=secret", "/v1/ws?TOKEN=REDACTED"},
		{"/v1/ws", "%74oke%6E=secret", "/v1/ws?%74oke%6E=REDACTED"},
		{"/v1/ws", "tok%zzen=secret", "/v1/ws?tok%zzen=REDACTED"},
		{"/v1/ws", "token=a=secret", "/v1/ws?token=REDACTED"},
		{"/v1/ws", "token=%zzsecret", "/v1/ws?token=REDACTED"},
		{"/v1/ws", "a=b;token=secret", "/v1/ws?a=b;token=REDACTED"},
		{"/v1/ws", "token=&token&a=token", "/v1/ws?token=&token&a=token"},
		{"/v1/ws", "jwt=eyJsecret", "/v1/ws?jwt=REDACTED"},
		{"/v1/ws", "eyJsecret", "/v1/ws?REDACTED"},
		{"/v1/ws?token=secret", "", "/v1/ws%3Ftoken=REDACTED"},
		{"/a b\nc", "x=y", "/a%20b%0Ac?x=y"},
	}
	for _, test := range tests {
		r := &http.Request{URL: &url.URL{Path: test.path, RawQuery: test.raw}}
		if got := handshake.RedactedURL(r); got != test.want {
			t.Errorf("%s?%s: got %q, want %q", test.path, test.raw, got, test.want)
		}
	}
}
