package handshake_test

import (
	"strings"
	"testing"

	"relay/event"
	"relay/transport/handshake"
)

func TestAdmitOrigin(t *testing.T) {
	none := handshake.Options{Open: true}
	loopback := handshake.Options{Open: true, LoopbackOrigins: true}
	listed := handshake.Options{Open: true, Origins: []string{
		"https://app.example.com", "http://dev.example.com:3000", "https://[2001:db8::1]:8443", "capacitor://localhost"}}
	wild := handshake.Options{Open: true, Origins: []string{"https://*.example.com", "https://*.example.org:8443"}}
	star := handshake.Options{Open: true, Origins: []string{"*"}}

	tests := []struct {
		name    string
		options handshake.Options
		host    string
		origin  string
		want    bool
	}{
		// The relay's own origin, by the Host header.
		{"own", none, "relay.example.com", "https://relay.example.com", true},
		{"own, plain http", none, "relay.example.com", "http://relay.example.com", true},
		{"own in capitals", none, "Relay.Example.COM", "HTTPS://RELAY.example.com", true},
		{"own, port shown by one", none, "relay.example.com:443", "https://relay.example.com", true},
		{"own, port shown by the other", none, "relay.example.com", "http://relay.example.com:80", true},
		{"own, other port", none, "relay.example.com:8443", "https://relay.example.com:8443", true},
		{"own, IPv6", none, "[2001:db8::1]:8080", "http://[2001:0db8:0:0::1]:8080", true},
		{"own, IPv4", none, "192.0.2.1:8080", "http://192.0.2.1:8080", true},
		{"port of nobody", none, "relay.example.com", "https://relay.example.com:8443", false},
		{"Host has a port, origin has not", none, "relay.example.com:8080", "http://relay.example.com", false},
		{"the other scheme's port", none, "relay.example.com:80", "https://relay.example.com", false},
		{"http on 443", none, "relay.example.com", "http://relay.example.com:443", false},
		{"scheme of an app", none, "relay.example.com", "capacitor://relay.example.com", false},
		{"a parent", none, "relay.example.com", "https://example.com", false},
		{"a child", none, "relay.example.com", "https://x.relay.example.com", false},
		{"own host as user name", none, "relay.example.com", "https://relay.example.com@evil.com", false},
		{"own host as password", none, "relay.example.com", "https://x:relay.example.com@evil.com", false},
		{"own host as a prefix", none, "relay.example.com", "https://relay.example.com.evil.com", false},
		{"trailing dot", none, "relay.example.com", "https://relay.example.com.", false},
		{"Host is malformed", none, "relay.example.com@evil.com", "https://relay.example.com", false},
		{"Host is empty", none, "", "https://relay.example.com", false},
		{"origin without a host", none, "", "https://", false},
		{"Kelvin sign", none, "kelvin.example.com", "https://\u212aelvin.example.com", false},

		// Nothing else without a setting.
		{"foreign", none, "relay.example.com", "https://evil.com", false},
		{"loopback to a public relay", none, "relay.example.com", "http://localhost:3000", false},
		{"other loopback port", none, "localhost:8080", "http://localhost:3000", false},
		{"null", none, "relay.example.com", "null", false},
		{"garbage", none, "relay.example.com", "relay.example.com", false},
		{"file", none, "relay.example.com", "file://", false},
		{"empty, as after a proxy that blanks it", none, "relay.example.com", "", true},

		// On a loopback listener.
		{"localhost", loopback, "localhost:8080", "http://localhost:3000", true},
		{"localhost, https, default port", loopback, "127.0.0.1:8080", "https://localhost", true},
		{"LOCALHOST", loopback, "127.0.0.1:8080", "HTTP://LOCALHOST:3000", true},
		{"below localhost", loopback, "127.0.0.1:8080", "http://shop.app.localhost:3000", true},
		{"127.0.0.1", loopback, "localhost:8080", "http://127.0.0.1:5173", true},
		{"127.8.9.10", loopback, "localhost:8080", "http://127.8.9.10", true},
		{"[::1]", loopback, "localhost:8080", "http://[::1]:3000", true},
		{"[0:0:0:0:0:0:0:1]", loopback, "localhost:8080", "http://[0:0:0:0:0:0:0:1]:3000", true},
		{"[::1] with a zone", loopback, "localhost:8080", "http://[::1%25lo]:3000", false},
		{"[::2]", loopback, "localhost:8080", "http://[::2]:3000", false},
		{"localhost.evil.com", loopback, "localhost:8080", "http://localhost.evil.com", false},
		{"evillocalhost", loopback, "localhost:8080", "http://evillocalhost", false},
		{".localhost", loopback, "localhost:8080", "http://.localhost", false},
		{"localhost as user name", loopback, "localhost:8080", "http://localhost@evil.com", false},
		{"localhost and port as user name", loopback, "localhost:8080", "http://localhost:8080@evil.com", false},
		{"localhost before a backslash", loopback, "localhost:8080", `http://localhost\evil.com`, false},
		{"localhost before a slash", loopback, "localhost:8080", "http://evil.com/localhost", false},
		{"localhost in a fragment", loopback, "localhost:8080", "http://evil.com#.localhost", false},
		{"127.0.0.1.evil.com", loopback, "localhost:8080", "http://127.0.0.1.evil.com", false},
		{"128.0.0.1", loopback, "localhost:8080", "http://128.0.0.1", false},
		{"0.0.0.0", loopback, "localhost:8080", "http://0.0.0.0:8080", false},
		{"the local network", loopback, "localhost:8080", "http://192.168.0.2", false},
		{"127.1, which browsers write out", loopback, "localhost:8080", "http://127.1", false},
		{"another scheme on localhost", loopback, "127.0.0.1:8080", "capacitor://localhost", false},
		{"null on loopback", loopback, "localhost:8080", "null", false},
		{"foreign on loopback", loopback, "localhost:8080", "https://evil.com", false},

		// Listed.
		{"exact", listed, "relay.example.com", "https://app.example.com", true},
		{"exact in capitals", listed, "relay.example.com", "https://APP.example.com", true},
		{"exact with its default port", listed, "relay.example.com", "https://app.example.com:443", true},
		{"exact, own port", listed, "relay.example.com", "http://dev.example.com:3000", true},
		{"exact, IPv6", listed, "relay.example.com", "https://[2001:DB8::0001]:8443", true},
		{"exact, an app's scheme", listed, "relay.example.com", "capacitor://localhost", true},
		{"wrong scheme", listed, "relay.example.com", "http://app.example.com", false},
		{"wrong port", listed, "relay.example.com", "https://app.example.com:8443", false},
		{"no port", listed, "relay.example.com", "http://dev.example.com", false},
		{"child of a listed one", listed, "relay.example.com", "https://x.app.example.com", false},
		{"longer than a listed one", listed, "relay.example.com", "https://app.example.com.evil.com", false},
		{"listed one with a path", listed, "relay.example.com", "https://app.example.com/", false},
		{"two in one header", listed, "relay.example.com", "https://app.example.com, https://evil.com", false},
		{"two in one header, as RFC 6454 allows", listed, "relay.example.com", "https://app.example.com https://evil.com", false},

		// By pattern.
		{"subdomain", wild, "relay.test", "https://app.example.com", true},
		{"subdomain of a subdomain", wild, "relay.test", "https://a.b.c.Example.com", true},
		{"subdomain with a port", wild, "relay.test", "https://app.example.org:8443", true},
		{"the domain itself", wild, "relay.test", "https://example.com", false},
		{"no dot", wild, "relay.test", "https://evilexample.com", false},
		{"nothing before the dot", wild, "relay.test", "https://.example.com", false},
		{"subdomain, wrong scheme", wild, "relay.test", "http://app.example.com", false},
		{"subdomain, wrong port", wild, "relay.test", "https://app.example.com:8443", false},
		{"subdomain, port missing", wild, "relay.test", "https://app.example.org", false},
		{"subdomain as a prefix", wild, "relay.test", "https://app.example.com.evil.com", false},
		{"subdomain as a user name", wild, "relay.test", "https://x.example.com@evil.com", false},
		{"subdomain after a user name", wild, "relay.test", "https://evil.com@x.example.com", false},
		{"the asterisk itself", wild, "relay.test", "https://*.example.com", false},

		// Any.
		{"any", star, "relay.test", "https://evil.com", true},
		{"any, null", star, "relay.test", "null", true},
		{"any, a file in a web view", star, "relay.test", "file://", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := newPolicy(t, test.options).Admit(request(test.host, "/v1/ws", "Origin", test.origin))
			if test.want {
				wantProblem(t, got, 0, "")
				return
			}
			wantProblem(t, got, 403, event.CodeOriginForbidden, "RELAY_ALLOWED_ORIGINS")
		})
	}
}

func TestAdmitNamesTheOrigin(t *testing.T) {
	p := newPolicy(t, handshake.Options{Open: true})
	wantProblem(t, p.Admit(request("relay.test", "/", "Origin", "https://evil.com")), 403, event.CodeOriginForbidden, `"https://evil.com"`)
	wantProblem(t, p.Admit(request("relay.test", "/", "Origin", "null")), 403, event.CodeOriginForbidden, "sandboxed")

	long := p.Admit(request("relay.test", "/", "Origin", "https://"+strings.Repeat("x", 10_000)))
	wantProblem(t, long, 403, event.CodeOriginForbidden)
	if len(long.Detail) > 500 {
		t.Errorf("detail has %d bytes", len(long.Detail))
	}
}

func TestAdmitTwoOriginHeaders(t *testing.T) {
	for _, options := range []handshake.Options{
		{Open: true},
		{Open: true, Origins: []string{"*"}},
		{OpenLocal: true, LoopbackOrigins: true},
	} {
		r := request("localhost", "/", "Origin", "http://localhost", "Origin", "http://localhost")
		wantProblem(t, newPolicy(t, options).Admit(r), 403, event.CodeOriginForbidden, "more than one")
	}
}

func TestAdmitWithoutOrigin(t *testing.T) {
	tests := []struct {
		fetchSite string
		origins   []string
		want      bool
	}{
		{"", nil, true},
		{"none", nil, true},
		{"same-origin", nil, true},
		{"same-site", nil, false},
		{"cross-site", nil, false},
		{"something new", nil, false},
		{"cross-site", []string{"https://app.example.com", "https://*.example.com"}, false},
		{"cross-site", []string{"*"}, true},
	}
	for _, test := range tests {
		r := request("relay.test", "/v1/sse")
		if test.fetchSite != "" {
			r.Header.Set("Sec-Fetch-Site", test.fetchSite)
		}
		got := newPolicy(t, handshake.Options{Open: true, Origins: test.origins}).Admit(r)
		if test.want {
			wantProblem(t, got, 0, "")
			continue
		}
		wantProblem(t, got, 403, event.CodeOriginForbidden, "does not say which")
	}
}

func TestAdmitOpenLocal(t *testing.T) {
	local := handshake.Options{OpenLocal: true, LoopbackOrigins: true}
	settings := []string{"RELAY_JWT_SECRET", "RELAY_PUBLIC_CHANNELS", "RELAY_OPEN=true"}
	tests := []struct {
		name    string
		host    string
		headers []string
		code    event.Code // empty: admitted
	}{
		{"localhost", "localhost:8080", nil, ""},
		{"LocalHost", "LocalHost:8080", nil, ""},
		{"127.0.0.1", "127.0.0.1:8080", nil, ""},
		{"127.0.0.1 without a port", "127.0.0.1", nil, ""},
		{"[::1]", "[::1]:8080", nil, ""},
		{"a name below localhost", "relay.localhost:8080", nil, ""},
		{"a page of this machine", "localhost:8080", []string{"Origin", "http://localhost:3000"}, ""},
		{"the relay's own page", "localhost:8080", []string{"Origin", "http://localhost:8080"}, ""},

		// An evil page's name that now leads to 127.0.0.1: same origin for its browser.
		{"rebound name", "evil.com:8080", nil, event.CodeHostForbidden},
		{"rebound name with its origin", "evil.com:8080", []string{"Origin", "http://evil.com:8080"}, event.CodeHostForbidden},
		{"rebound name that looks local", "localhost.evil.com:8080", nil, event.CodeHostForbidden},
		{"rebound name that looks like an address", "127.0.0.1.evil.com", nil, event.CodeHostForbidden},
		{"user name in the host", "localhost@evil.com", nil, event.CodeHostForbidden},
		{"IPv6 without brackets", "::1", nil, event.CodeHostForbidden},
		{"no host", "", nil, event.CodeHostForbidden},
		{"address of the network", "192.168.0.2:8080", nil, event.CodeHostForbidden},
		{"unspecified address", "0.0.0.0:8080", nil, event.CodeHostForbidden},

		{"foreign page", "localhost:8080", []string{"Origin", "https://evil.com"}, event.CodeOriginForbidden},

		{"X-Forwarded-For", "localhost:8080", []string{"X-Forwarded-For", "192.0.2.1"}, event.CodeForbidden},
		{"X-Forwarded-For, local", "localhost:8080", []string{"X-Forwarded-For", "127.0.0.1"}, event.CodeForbidden},
		{"X-Forwarded-Proto", "localhost:8080", []string{"x-forwarded-proto", "https"}, event.CodeForbidden},
		{"X-Forwarded-Anything", "localhost:8080", []string{"X-FORWARDED-ANYTHING", ""}, event.CodeForbidden},
		{"X-Real-IP", "localhost:8080", []string{"X-Real-IP", "192.0.2.1"}, event.CodeForbidden},
		{"Forwarded", "localhost:8080", []string{"Forwarded", "for=192.0.2.1"}, event.CodeForbidden},
		{"Via", "localhost:8080", []string{"Via", "1.1 proxy"}, event.CodeForbidden},
		{"proxy and foreign host", "relay.example.com", []string{"Via", "1.1 proxy"}, event.CodeForbidden},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := newPolicy(t, local).Admit(request(test.host, "/v1/ws", test.headers...))
			switch test.code {
			case "":
				wantProblem(t, got, 0, "")
			case event.CodeOriginForbidden:
				wantProblem(t, got, 403, test.code)
			default:
				wantProblem(t, got, 403, test.code, settings...)
			}
		})
	}

	t.Run("any other rule serves proxies and names", func(t *testing.T) {
		for _, o := range []handshake.Options{
			{Tokens: newVerifier()}, {Open: true}, {Public: []event.Pattern{"news"}},
		} {
			o.LoopbackOrigins = true
			r := request("relay.example.com", "/", "X-Forwarded-For", "192.0.2.1", "Via", "1.1 proxy")
			wantProblem(t, newPolicy(t, o).Admit(r), 0, "")
		}
	})
}
