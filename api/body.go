package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"relay/event"
	"relay/problem"
)

// limitBody cuts a body that is too long while it is read, so that a stranger
// cannot fill the memory first.
func (a *API) limitBody(next http.Handler) http.Handler {
	most := int64(a.options.MaxRequestBytes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// No body is longer than it was announced: net/http sees to that.
		if r.ContentLength < 0 || r.ContentLength > most {
			r.Body = http.MaxBytesReader(w, r.Body, most)
		}
		next.ServeHTTP(w, r)
	})
}

// body reads a request's body, which limitBody has limited.
func (a *API) body(r *http.Request) ([]byte, *problem.Problem) {
	body, err := readBody(r, int64(a.options.MaxRequestBytes))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, problem.New(http.StatusRequestEntityTooLarge, event.CodeTooLarge,
			fmt.Sprintf("The body is longer than %d bytes, the limit of this relay; nothing was published. "+
				"Send several smaller requests, or raise RELAY_MAX_REQUEST_BYTES.", a.options.MaxRequestBytes))
	}
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, event.CodeInvalidRequest,
			"The body did not arrive as a whole; nothing was published. Send the request again.")
	}
	return body, nil
}

func readBody(r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > most {
		return io.ReadAll(r.Body)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}
