package handshake

import (
	"strings"

	"relay/hostport"
)

// origin is a web origin (RFC 6454) in one spelling: lower case, IPv6 in its
// shortest form and without brackets, the port always there if the scheme has
// one of its own. Origins are compared with ==.
type origin struct {
	scheme, host, port string
}

// parseOrigin reads the value of an Origin header, or a setting in that form.
// It takes scheme://host[:port] and nothing more: whatever a URL could hold
// besides (a user's name before the host, a path) is how people get a
// comparison of origins wrong. The null origin is not an origin.
func parseOrigin(s string) (origin, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) {
		return origin{}, false
	}
	host, port, ok := hostport.Split(rest)
	if !ok {
		return origin{}, false
	}
	o := origin{scheme: strings.ToLower(scheme), host: host, port: port}
	if o.port == "" {
		o.port = defaultPort(o.scheme)
	}
	return o, true
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

func (o origin) isWeb() bool { return o.scheme == "http" || o.scheme == "https" }

// isOwn says whether a page of origin o comes from where the request went, by
// its Host header. Of the two web schemes either will do, each with its own
// default port: a proxy that ends TLS hides from the relay which one it was.
func (o origin) isOwn(hostAndPort string) bool {
	host, port, ok := hostport.Split(hostAndPort)
	if !ok || !o.isWeb() || o.host != host {
		return false
	}
	if port == "" {
		port = defaultPort(o.scheme)
	}
	return o.port == port
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
