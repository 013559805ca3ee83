package floor

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// noopAnswer is about what the relay answers to one event.
const noopAnswer = `{"results":[{"channel":"bench.0","id":"1795334400123-1000000-Xk3vQ9"}]}` + "\n"

// Noop serves POST /v1/events with a handler that reads the body and does
// nothing, until ctx is done. It says on w where it listens.
func Noop(ctx context.Context, w io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := chi.NewMux()
	mux.Post("/v1/events", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what fails here fails at the answer too
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, noopAnswer)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := announce(w, listener.Addr().String()); err != nil {
		return err
	}
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}
