package api_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"relay/api"
	"relay/bus"
)

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	var log bytes.Buffer
	s := serve(t, func(o *api.Options) { o.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	s.bus.answer = func(context.Context, int, bus.Publication) bus.Receipt { panic("bus went bang") }
	x := s.publish(t, oneEvent)
	wantRefused(t, x, http.StatusInternalServerError, "internal")
	if strings.Contains(string(x.Body), "bus went bang") {
		t.Errorf("the answer tells too much: %s", x.Body)
	}
	for _, text := range []string{"bus went bang", "/v1/events", "recover_test.go"} {
		if !strings.Contains(log.String(), text) {
			t.Errorf("the log does not hold %q:\n%s", text, log.String())
		}
	}
}

// net/http has a panic of its own, which is no mistake.
func TestAbortPassesThrough(t *testing.T) {
	b := &recorder{answer: func(context.Context, int, bus.Publication) bus.Receipt { panic(http.ErrAbortHandler) }}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events", strings.NewReader(oneEvent))
	defer func() {
		cause := recover()
		if err, ok := cause.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("recovered %v", cause)
		}
	}()
	api.New(api.Options{Bus: b, Rooms: &rooms{}}).ServeHTTP(httptest.NewRecorder(), r)
}
