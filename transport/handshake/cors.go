package handshake

import (
	"net/http"

	"relay/event"
)

// What a page of another origin may send and read, and for how many seconds
// its browser remembers that (two hours is the most that Chromium takes).
const (
	corsMethods = "GET"
	corsHeaders = "Authorization, Last-Event-ID, Cache-Control"
	corsExposed = "Retry-After"
	corsMaxAge  = "7200"
)

// CORS lets pages of allowed origins read what next answers (the CORS protocol
// of the Fetch standard) and answers their preflights. Whatever Admit refuses
// gets its problem, of which refused is told, and does not reach next.
//
// Only an origin that is the relay's own or listed by its name may send
// credentials: with a pattern, any page that matches could use the cookie of
// whoever visits it.
func (p *Policy) CORS(next http.Handler, refused func(event.Code)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Also where there is no Origin: a cache must not give this answer to
		// a page that has one.
		w.Header().Add("Vary", "Origin")
		if refusal := p.Admit(r); refusal != nil {
			refused(refusal.Code)
			refusal.Write(w)
			return
		}
		if origin, _ := originHeader(r.Header); origin != "" {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			if p.standing(r) == trusted {
				w.Header().Set("Access-Control-Allow-Credentials", "true")
			}
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			answerPreflight(w)
			return
		}
		w.Header().Set("Access-Control-Expose-Headers", corsExposed)
		next.ServeHTTP(w, r)
	})
}

func answerPreflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
}
