package api

import (
	"net/http"
	"runtime/debug"

	"relay/event"
	"relay/problem"
)

// recoverPanics turns a mistake of ours into an answer and a line in the log.
// Without it net/http would cut the connection and the app would learn nothing.
func (a *API) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause) // meant for net/http
			default:
				a.options.Log.Error("a request could not be served because of a mistake in the relay",
					"panic", cause, "method", r.Method, "path", clip(r.URL.Path), "stack", string(debug.Stack()))
				a.refuse(w, problem.New(http.StatusInternalServerError, event.CodeInternal,
					"The relay made a mistake; its log says more. Whether anything was published is not known."))
			}
		}()
		next.ServeHTTP(w, r)
	})
}
