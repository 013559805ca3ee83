package api

import (
	"fmt"
	"net/http"

	"relay/event"
	"relay/hostport"
	"relay/problem"
)

// refuseForeignHost refuses, on a loopback listener, what was sent to another
// name. A page can bind its own name to 127.0.0.1 (DNS rebinding) and then
// reads and writes here without an Origin; its Host gives it away.
func (a *API) refuseForeignHost(next http.Handler) http.Handler {
	if !a.options.Loopback {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hostport.IsLoopback(r.Host) {
			a.refuse(w, hostForbidden(r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostForbidden(host string) *problem.Problem {
	return problem.New(http.StatusForbidden, event.CodeHostForbidden,
		fmt.Sprintf("This listener has a loopback address, so the Host header must name localhost, 127.0.0.1 or [::1], not %q. "+
			"To serve other hosts, set RELAY_API_ADDR to an address they reach, and RELAY_API_KEYS.", clip(host)))
}
