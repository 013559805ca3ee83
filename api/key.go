package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"relay/event"
	"relay/problem"
)

// requireKey asks for one of the API keys, if there are any.
func (a *API) requireKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys := a.options.Keys()
		if len(keys) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		given, ok := bearer(r)
		if !ok {
			a.refuse(w, problem.New(http.StatusUnauthorized, event.CodeUnauthorized,
				"This listener asks for an API key. Send one of RELAY_API_KEYS in the header: Authorization: Bearer KEY."))
			return
		}
		if !oneOf(keys, given) {
			a.refuse(w, problem.New(http.StatusUnauthorized, event.CodeUnauthorized,
				"The API key in the Authorization header is not one of those in force. Compare it with RELAY_API_KEYS of this relay."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bearer returns the key of "Authorization: Bearer KEY" (RFC 6750, 2.1).
func bearer(r *http.Request) (string, bool) {
	sent := r.Header["Authorization"]
	if len(sent) != 1 {
		return "", false
	}
	scheme, key, _ := strings.Cut(sent[0], " ")
	key = strings.TrimSpace(key)
	return key, strings.EqualFold(scheme, "Bearer") && key != ""
}

// oneOf compares digests, and with every key, so that the time it takes tells
// neither how much of a guess was right nor how long a key is.
func oneOf(keys []string, given string) bool {
	want := sha256.Sum256([]byte(given))
	found := 0
	for _, key := range keys {
		digest := sha256.Sum256([]byte(key))
		found |= subtle.ConstantTimeCompare(want[:], digest[:])
	}
	return found == 1
}
