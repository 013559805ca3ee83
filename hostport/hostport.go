// Package hostport reads the texts that name a host and perhaps a port, and
// says which of them are this machine: Host headers, origins, addresses to
// listen on. Who is "only this machine" decides who is let in without a key,
// so there is one rule and it stands here.
package hostport

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Split reads host[:port] as it stands in an origin and in a Host header. The
// host comes back in lower case, an IPv6 address without its brackets; port is
// empty if there is none. ok is false for anything else.
func Split(s string) (host, port string, ok bool) {
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

// IsLoopbackName says whether a host of one spelling is this machine for every
// browser. Names below localhost are (RFC 6761, section 6.3); names that only
// look like an address (127.0.0.1.example.com) are not.
func IsLoopbackName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// IsLoopback reports whether a Host header names this machine: localhost,
// a name below it, 127.0.0.0/8 or [::1], with or without a port. A page of
// another site that points its own name at 127.0.0.1 (DNS rebinding) is the
// same origin as the relay for the browser; its Host header gives it away.
func IsLoopback(hostport string) bool {
	host, _, ok := Split(hostport)
	return ok && IsLoopbackName(host)
}

// IsLoopbackListen reports whether only this machine can reach an address that
// is listened on. A name other than localhost may resolve to anything, so it
// counts as public.
func IsLoopbackListen(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && IsLoopbackName(strings.ToLower(host)) && !strings.HasSuffix(strings.ToLower(host), ".localhost")
}
