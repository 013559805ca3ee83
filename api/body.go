package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"relay/event"
	"relay/problem"
)

// limitBody cuts a body that is too long while it is read, so that a stranger
// cannot fill the memory first.
func (a *API) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, int64(a.options.MaxRequestBytes))
		next.ServeHTTP(w, r)
	})
}

// body reads a request's body, which limitBody has limited.
func (a *API) body(r *http.Request) ([]byte, *problem.Problem) {
	var b bytes.Buffer
	if announced := min(r.ContentLength, int64(a.options.MaxRequestBytes)); announced > 0 {
		b.Grow(int(announced) + bytes.MinRead) // MinRead: else it would grow once more to see the end
	}
	_, err := b.ReadFrom(r.Body)
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, problem.New(http.StatusRequestEntityTooLarge, event.CodeTooLarge,
			fmt.Sprintf("The body is longer than %d bytes, the limit of this relay; nothing was published. "+
				"Send several smaller requests, or raise RELAY_MAX_REQUEST_BYTES.", a.options.MaxRequestBytes))
	}
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, event.CodeInvalidRequest,
			"The body did not arrive as a whole; nothing was published. Send the request again.")
	}
	return b.Bytes(), nil
}
