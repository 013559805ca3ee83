package handshake

import (
	"net/netip"
	"strconv"
	"strings"
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
	host, port, ok := splitHost(rest)
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

// splitHost reads host[:port], as it stands in an origin and in a Host header.
func splitHost(s string) (host, port string, ok bool) {
	if inside, found := strings.CutPrefix(s, "["); found {
		text, rest, found := strings.Cut(inside, "]")
		addr, err := netip.ParseAddr(text)
		if !found || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", "", false
		}
		port, ok = cutPort(rest)
		return addr.String(), port, ok
	}
	end := strings.IndexByte(s, ':')
	if end < 0 {
		end = len(s)
	}
	if !isHostName(s[:end]) {
		return "", "", false
	}
	port, ok = cutPort(s[end:])
	return strings.ToLower(s[:end]), port, ok
}

// cutPort reads what follows a host: nothing, or a colon and a port.
func cutPort(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	digits, ok := strings.CutPrefix(s, ":")
	if !ok || len(digits) > 5 || strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", false
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n == 0 || n > 65535 {
		return "", false
	}
	return strconv.Itoa(n), true
}

// isHostName takes ASCII only: lower-casing any other text could turn a letter
// into one of ASCII (the Kelvin sign becomes k) and one host into another.
func isHostName(s string) bool {
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// isLoopbackName says whether a host of one spelling is this machine for every
// browser. Names below localhost are (RFC 6761, section 6.3); names that only
// look like an address (127.0.0.1.example.com) are not.
func isLoopbackName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// IsLoopbackHost reports whether a Host header names this machine: localhost,
// a name below it, 127.0.0.0/8 or [::1], with or without a port. A page of
// another site that points its own name at 127.0.0.1 (DNS rebinding) is the
// same origin as the relay for the browser; its Host header gives it away.
func IsLoopbackHost(hostport string) bool {
	host, _, ok := splitHost(hostport)
	return ok && isLoopbackName(host)
}

func (o origin) isWeb() bool { return o.scheme == "http" || o.scheme == "https" }

// isOwn says whether a page of origin o comes from where the request went, by
// its Host header. Of the two web schemes either will do, each with its own
// default port: a proxy that ends TLS hides from the relay which one it was.
func (o origin) isOwn(hostport string) bool {
	host, port, ok := splitHost(hostport)
	if !ok || !o.isWeb() || o.host != host {
		return false
	}
	if port == "" {
		port = defaultPort(o.scheme)
	}
	return o.port == port
}
