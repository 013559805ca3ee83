package handshake_test

import (
	"strings"
	"testing"

	"relay/event"
	"relay/transport/handshake"
)

func TestNewRefuses(t *testing.T) {
	public := []event.Pattern{"news"}
	tests := map[string]struct {
		options handshake.Options
		words   []string
	}{
		"nothing":           {handshake.Options{}, []string{"RELAY_JWT_SECRET", "RELAY_PUBLIC_CHANNELS", "RELAY_OPEN"}},
		"local and tokens":  {handshake.Options{OpenLocal: true, Tokens: newVerifier()}, []string{"as well"}},
		"local and public":  {handshake.Options{OpenLocal: true, Public: public}, []string{"as well"}},
		"local and open":    {handshake.Options{OpenLocal: true, Open: true}, []string{"as well"}},
		"loopback, no rule": {handshake.Options{LoopbackOrigins: true}, []string{"RELAY_JWT_SECRET"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := handshake.New(test.options)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range test.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

func TestNewChecksOrigins(t *testing.T) {
	good := []string{
		"*", "https://app.example.com", "HTTPS://App.Example.COM", "https://app.example.com:8443",
		"http://localhost:3000", "http://127.0.0.1", "http://[::1]:3000", "https://[2001:DB8:0:0::1]",
		"https://*.example.com", "https://*.example.com:8443", "http://*.localhost:3000",
		"https://*.xn--mller-kva.de", "capacitor://localhost", "chrome-extension://abcdefghijklmnop",
		"https://my_host", "https://example.com.",
	}
	for _, text := range good {
		if _, err := handshake.New(handshake.Options{Open: true, Origins: []string{text}}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	bad := map[string]string{
		"":                              "an origin is a scheme",
		" https://app.example.com":      "an origin is a scheme",
		"https://app.example.com ":      "an origin is a scheme",
		"app.example.com":               "an origin is a scheme",
		"https:app.example.com":         "an origin is a scheme",
		"https://":                      "an origin is a scheme",
		"://app.example.com":            "an origin is a scheme",
		"1http://app.example.com":       "an origin is a scheme",
		"https://user@app.example.com":  "an origin is a scheme",
		"https://app.example.com?x":     "an origin is a scheme",
		"https://app.example.com#x":     "an origin is a scheme",
		"https://a..example.com":        "an origin is a scheme",
		"https://.example.com":          "an origin is a scheme",
		"https://app.example.com:":      "an origin is a scheme",
		"https://app.example.com:0":     "an origin is a scheme",
		"https://app.example.com:65536": "an origin is a scheme",
		"https://app.example.com:+80":   "an origin is a scheme",
		"https://app.example.com:80:80": "an origin is a scheme",
		"https://::1":                   "an origin is a scheme",
		"https://[::1":                  "an origin is a scheme",
		"https://[::1]x":                "an origin is a scheme",
		"https://[fe80::1%25eth0]":      "an origin is a scheme",
		"https://[127.0.0.1]":           "an origin is a scheme",
		"https://app.example.com/":      "leave out the slash",
		"https://app.example.com/chat":  "leave out the slash",
		"https://*.example.com/":        "leave out the slash",
		"https://müller.de":             "xn--",
		"null":                          "sandboxed",
		"ws://app.example.com":          "https:// or http://",
		"WSS://app.example.com":         "https:// or http://",
		"**":                            "*.example.com",
		"*.example.com":                 "*.example.com",
		"https://*":                     "*.example.com",
		"https://*.com":                 "*.example.com",
		"https://*.":                    "*.example.com",
		"https://*.example.com.":        "*.example.com",
		"https://a.*.example.com":       "*.example.com",
		"https://a*.example.com":        "*.example.com",
		"https://*example.com":          "*.example.com",
		"https://*.*.example.com":       "*.example.com",
		"https://*.0.0.1":               "*.example.com",
		"https://*.[::1]":               "*.example.com",
		"https://app.example.com:*":     "*.example.com",
	}
	for text, word := range bad {
		_, err := handshake.New(handshake.Options{Open: true, Origins: []string{"https://ok.example.com", text}})
		switch {
		case err == nil:
			t.Errorf("%q is accepted", text)
		case !strings.Contains(err.Error(), word):
			t.Errorf("%q: error %q does not say %q", text, err, word)
		}
	}
}
