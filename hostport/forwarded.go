package hostport

import (
	"net/http"
	"strings"
)

// Forwarded finds a header that only a proxy adds. Their presence counts, not
// their value: it says that the peer on this machine speaks for somebody else.
// Not every proxy adds one, so finding none proves nothing.
func Forwarded(h http.Header) (name string, found bool) {
	for _, name := range []string{"Forwarded", "Via", "X-Real-Ip"} {
		if _, found := h[name]; found {
			return name, true
		}
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") {
			return name, true
		}
	}
	return "", false
}
