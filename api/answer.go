package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"

	"relay/event"
	"relay/problem"
)

// operation does what a request asks. It returns what to answer as JSON (nil
// if there is nothing to say), or the problem.
type operation func(r *http.Request) (any, *problem.Problem)

// handle makes a handler of an operation. The answer is complete before its
// first byte is sent, so a failure can always still be told by the status.
func (a *API) handle(do operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, p := do(r)
		if p != nil {
			a.refuse(w, p)
			return
		}
		if answer == nil {
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if quick, ok := answer.(quickAnswer); ok {
			quick.write(w)
			return
		}
		body, err := json.Marshal(answer)
		if err != nil {
			panic(err) // a mistake in this package: only its own types are answered
		}
		writeJSON(w, http.StatusOK, body)
	}
}

// quickAnswer is one that is given so often that it writes itself.
type quickAnswer interface{ write(w http.ResponseWriter) }

// Values of headers, which nobody changes.
var (
	contentJSON = []string{"application/json"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
)

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Content-Type-Options"] = contentJSON, noStore, noSniff
	w.WriteHeader(status)
	// The client may have gone; there is nobody else to tell.
	_, _ = w.Write(body)
}

func (a *API) refuse(w http.ResponseWriter, p *problem.Problem) {
	a.options.Metrics.Refused(p.Code)
	p.Write(w)
}

// unavailable answers for a bus, or other relays, that cannot be reached now.
func unavailable(detail string) *problem.Problem {
	p := problem.New(http.StatusServiceUnavailable, event.CodeUnavailable, detail)
	p.RetryAfter = time.Second
	return p
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.refuse(w, problem.New(http.StatusNotFound, event.CodeNotFound,
		fmt.Sprintf("There is nothing at %q. GET /openapi.yaml tells what this listener serves; "+
			"clients connect to the public listener. A channel's name in a path is percent-encoded, its slashes too.",
			clip(r.URL.Path))))
}

// methodNotAllowed names the methods that would do (RFC 9110, 15.5.6).
func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if a.router.Match(chi.NewRouteContext(), method, path) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		a.notFound(w, r) // a method the router does not know, and a path it does not know either
		return
	}
	allow := strings.Join(allowed, ", ")
	w.Header().Set("Allow", allow)
	a.refuse(w, problem.New(http.StatusMethodNotAllowed, event.CodeMethodNotAllowed,
		fmt.Sprintf("%q takes %s, not %q.", clip(r.URL.Path), allow, clip(r.Method))))
}

// clip keeps a stranger's text short in what is answered and logged.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
