package handshake

import (
	"fmt"
	"net/http"

	"relay/event"
	"relay/hostport"
	"relay/problem"
)

// Admit refuses a request for where it comes from: a proxy or a foreign host
// name in front of a relay that is open to its own machine only, or a page of
// an origin that is not allowed. All of these are 403, and a door answers them
// before anything else, an upgrade included. Nil lets the request in.
func (p *Policy) Admit(r *http.Request) *problem.Problem {
	if refusal := p.checkLocal(r); refusal != nil {
		return refusal
	}
	if p.standing(r) == foreign {
		return originForbidden(r)
	}
	return nil
}

// checkLocal keeps "open on this machine" on this machine.
func (p *Policy) checkLocal(r *http.Request) *problem.Problem {
	if !p.openLocal {
		return nil
	}
	if name, found := hostport.Forwarded(r.Header); found {
		return problem.New(http.StatusForbidden, event.CodeForbidden, fmt.Sprintf(
			"The request came through a proxy (it has the header %s), and this relay has no rule for who may subscribe, so it serves only its own machine. Set RELAY_JWT_SECRET, RELAY_PUBLIC_CHANNELS or RELAY_OPEN=true.", name))
	}
	if !hostport.IsLoopback(r.Host) {
		return problem.New(http.StatusForbidden, event.CodeHostForbidden, fmt.Sprintf(
			"The request is for the host %q, and this relay has no rule for who may subscribe, so it answers only to localhost. Use http://localhost, or set RELAY_JWT_SECRET, RELAY_PUBLIC_CHANNELS or RELAY_OPEN=true.", clip(r.Host)))
	}
	return nil
}

// standing is what a request's origin may do.
type standing int

const (
	// foreign: the request is refused.
	foreign standing = iota
	// allowed: it is let in, but only with a token that it brings itself.
	allowed
	// trusted: the cookie counts as well. The origin is the relay's own, is
	// listed by its name, or there is none because no other page is involved.
	trusted
)

// standing judges the origin of a request.
func (p *Policy) standing(r *http.Request) standing {
	text, n := originHeader(r.Header)
	switch {
	case n > 1:
		return foreign // no browser sends two, and which one would count?
	case text == "":
		return p.standingWithout(r.Header.Get("Sec-Fetch-Site"))
	}
	if o, ok := parseOrigin(text); ok {
		if o.isOwn(r.Host) || p.origins.lists(o) {
			return trusted
		}
		if p.origins.covers(o) {
			return allowed
		}
	}
	if p.origins.any {
		return allowed
	}
	return foreign
}

// standingWithout judges a request that names no origin. Programs send none,
// and browsers send none with a GET to the page's own origin; both are fine.
// But an <img>, a <script> or a link of another page makes a GET without an
// Origin too, with the cookie. Such a page never needs to read these
// addresses, but could have its visitors fill the relay with streams, so it
// stands like an origin that nobody listed. The browser tells by
// Sec-Fetch-Site, which scripts cannot set; one too old to send it is judged
// by the cookie's own SameSite attribute alone.
func (p *Policy) standingWithout(fetchSite string) standing {
	switch fetchSite {
	case "", "none", "same-origin":
		return trusted
	}
	if p.origins.any {
		return allowed
	}
	return foreign
}

// originHeader returns the origin that a request names, and how many Origin
// headers it has. An empty one, left by a proxy that blanks it, names none.
func originHeader(h http.Header) (text string, n int) {
	values := h["Origin"]
	if len(values) == 0 {
		return "", 0
	}
	return values[0], len(values)
}

func originForbidden(r *http.Request) *problem.Problem {
	text, n := originHeader(r.Header)
	var detail string
	switch {
	case n > 1:
		detail = "The request has more than one Origin header; a browser sends one, and the proxy in front must not add another."
	case text == "":
		detail = "The request comes from a page of another origin that does not say which (an image, a script or a link). Open the address itself, or connect by WebSocket, EventSource or fetch from an origin in RELAY_ALLOWED_ORIGINS."
	case text == "null":
		detail = `The request comes from a page without an origin of its own (Origin "null": a file, or a sandboxed frame). Serve the page over HTTP, from the relay's host or an origin in RELAY_ALLOWED_ORIGINS.`
	default:
		detail = fmt.Sprintf("Pages of the origin %q may not connect to this relay. If they should, add the origin to RELAY_ALLOWED_ORIGINS; if it is the relay's own, the proxy in front must pass on the Host header.", clip(text))
	}
	return problem.New(http.StatusForbidden, event.CodeOriginForbidden, detail)
}
