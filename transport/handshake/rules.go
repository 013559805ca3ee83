package handshake

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"relay/hostport"
)

// originRules are the allowed origins beside the relay's own.
type originRules struct {
	any      bool
	exact    []origin
	wild     []origin // host is the suffix, with its dot: ".example.com"
	loopback bool
}

var (
	errOriginForm = errors.New("an origin is a scheme, a host and perhaps a port, such as https://app.example.com or http://localhost:3000; https://*.example.com stands for all subdomains, * for every origin")
	errOriginPath = errors.New("an origin ends after the host and the port; leave out the slash and what follows it")
	errOriginName = errors.New("a host name is written as browsers send it, in ASCII (xn--…)")
	errOriginNull = errors.New("null is the origin of sandboxed pages of every site; it can only be allowed by *")
	errOriginWS   = errors.New("an origin is that of the page, not of the relay; begin it with https:// or http://")
	errOriginWild = errors.New("an asterisk stands for all that comes before the first dot, and a domain of two labels or more follows, such as https://*.example.com")
)

// add reads one allowed origin.
func (r *originRules) add(text string) error {
	if text == "*" {
		r.any = true
		return nil
	}
	scheme, rest, _ := strings.Cut(text, "://")
	switch {
	case text == "null":
		return errOriginNull
	case strings.EqualFold(scheme, "ws"), strings.EqualFold(scheme, "wss"):
		return errOriginWS
	case strings.ContainsRune(rest, '/'):
		return errOriginPath
	case strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII }):
		return errOriginName
	}
	if base, wild := strings.CutPrefix(rest, "*."); wild {
		return r.addWild(scheme + "://" + base)
	}
	if strings.ContainsRune(text, '*') {
		return errOriginWild
	}
	o, ok := parseOrigin(text)
	if !ok {
		return errOriginForm
	}
	r.exact = append(r.exact, o)
	return nil
}

// addWild reads the origin under which all subdomains are allowed. One label
// ("*.com") would allow half the world, and addresses have no subdomains.
func (r *originRules) addWild(base string) error {
	o, ok := parseOrigin(base)
	if !ok || strings.HasSuffix(o.host, ".") {
		return errOriginWild
	}
	last := o.host[strings.LastIndexByte(o.host, '.')+1:]
	named := strings.ContainsFunc(last, func(c rune) bool { return 'a' <= c && c <= 'z' })
	if !named || last == o.host && last != "localhost" {
		return errOriginWild
	}
	o.host = "." + o.host
	r.wild = append(r.wild, o)
	return nil
}

// lists reports whether o is allowed by its own name.
func (r *originRules) lists(o origin) bool { return slices.Contains(r.exact, o) }

// covers reports whether o is allowed because of what it belongs to.
func (r *originRules) covers(o origin) bool {
	if r.loopback && o.isWeb() && hostport.IsLoopbackName(o.host) {
		return true
	}
	for _, w := range r.wild {
		if o.scheme == w.scheme && o.port == w.port && strings.HasSuffix(o.host, w.host) {
			return true
		}
	}
	return false
}
