package api

import (
	"net/http"
	"net/url"
	"strings"

	"relay/event"
	"relay/hostport"
	"relay/problem"
)

// refuseOrigin refuses browsers. They send Origin with each request that can
// change something (Fetch standard, "append a request Origin header"), and no
// page has any business here: without this rule every page its user visits
// could publish through the user's own loopback address.
func (a *API) refuseOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, sent := r.Header["Origin"]; sent {
			a.refuse(w, problem.New(http.StatusForbidden, event.CodeOriginForbidden,
				"This listener is for servers; it refuses every request that carries an Origin header, "+
					"as browsers send it. Publish from the app's backend."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// requireLoopbackPage lets only a page pass that was loaded from this very
// host, and only if that is loopback. A page that had its own name bound to
// 127.0.0.1 (DNS rebinding) has the same origin too, but not a loopback one.
func (a *API) requireLoopbackPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !hostport.IsLoopback(r.Host):
			a.refuse(w, hostForbidden(r.Host))
		case isForwarded(r):
			a.refuse(w, problem.New(http.StatusForbidden, event.CodeForbidden,
				"The request came through a proxy; test events are taken from this machine only. POST to /v1/events on the api listener."))
		case !sameOrigin(r):
			a.refuse(w, problem.New(http.StatusForbidden, event.CodeOriginForbidden,
				"Only the relay's own page may publish here. From anywhere else, POST to /v1/events on the api listener."))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func isForwarded(r *http.Request) bool {
	_, found := hostport.Forwarded(r.Header)
	return found
}

// sameOrigin reports whether the request comes from a page of the host it goes to.
func sameOrigin(r *http.Request) bool {
	sent := r.Header["Origin"]
	if len(sent) != 1 {
		return false
	}
	origin, err := url.Parse(sent[0])
	if err != nil || origin.Scheme != "http" && origin.Scheme != "https" {
		return false
	}
	return strings.EqualFold(origin.Host, r.Host)
}
