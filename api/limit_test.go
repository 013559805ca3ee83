package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"relay/api"
	"relay/tests/contract"
)

// endless gives white space for ever and counts it.
type endless struct{ given int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.given += int64(len(p))
	return len(p), nil
}

// A body is cut where the limit is, not after it has been read.
func TestBodyIsCutWhileReading(t *testing.T) {
	const limit = 10_000
	for _, path := range []string{"/v1/events", "/v1/disconnect", "/v1/tokens"} {
		for _, announced := range []int64{-1, 1 << 30} {
			a := api.New(api.Options{
				Bus: &recorder{}, Rooms: &rooms{}, MaxRequestBytes: limit,
				Tokens: func() []byte { return []byte(secret) },
			})
			var body endless
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, &body)
			r.ContentLength = announced
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			x := contract.Exchange{Request: r, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
			contract.Check(t, x)
			p := wantRefused(t, x, http.StatusRequestEntityTooLarge, "too_large")
			if !strings.Contains(p.Detail, "RELAY_MAX_REQUEST_BYTES") {
				t.Errorf("detail %q", p.Detail)
			}
			if body.given > limit+1 {
				t.Errorf("%s read %d bytes of a body that may have %d", path, body.given, limit)
			}
		}
	}
}

func TestBodyAtTheLimit(t *testing.T) {
	s := serve(t, func(o *api.Options) { o.MaxRequestBytes = 200 })
	body := oneEvent + strings.Repeat(" ", 200-len(oneEvent))
	resultsOf(t, s.publish(t, body))
	wantRefused(t, s.publish(t, body+" "), http.StatusRequestEntityTooLarge, "too_large")
}

// White space does not count for an event's data.
func TestDataAtTheLimit(t *testing.T) {
	s := serve(t, func(o *api.Options) { o.MaxEventBytes = 10 })
	resultsOf(t, s.publish(t, `{"channel":"c","event":"e","data":[ 1,  2,  3, 45 ]}`))
	wantRefused(t, s.publish(t, `{"channel":"c","event":"e","data":[1,2,3,456]}`), http.StatusUnprocessableEntity, "invalid_item")
	if got := string(s.bus.published(t)[0].Data); got != `[1,2,3,45]` {
		t.Errorf("data %s", got)
	}
}

// A body that breaks off is no body, even if what came of it could be one.
func TestBodyThatBreaksOff(t *testing.T) {
	b := &recorder{}
	a := api.New(api.Options{Bus: b, Rooms: &rooms{}})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events", broken{strings.NewReader(oneEvent)})
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	wantRefused(t, contract.Exchange{Request: r, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}, http.StatusBadRequest, "invalid_request")
	if len(b.published(t)) > 0 {
		t.Error("published")
	}
}

// broken ends as a connection that is lost ends.
type broken struct{ *strings.Reader }

func (b broken) Read(p []byte) (int, error) {
	if b.Len() == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return b.Reader.Read(p)
}
