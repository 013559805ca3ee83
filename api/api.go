// Package api is the listener the app speaks to: it publishes events, reads
// and deletes their history, tells who is subscribed, disconnects clients,
// makes client tokens, and lets the relay leave.
//
// It is meant for programs on the same machine or in the same cluster, never
// for browsers: a request that carries an Origin is refused, and on a loopback
// address so is one that was sent to another host's name. The contract is
// openapi.yaml, which it serves. cmd/relay builds one API per process.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"relay/bus"
	"relay/hub"
)

// Limits in force where Options name none.
const (
	DefaultMaxEventBytes   = 64 << 10
	DefaultMaxRequestBytes = 8 << 20
)

// patience is how long a request waits for the bus or for the other relays.
const patience = 5 * time.Second

// Rooms is what the API asks of the hub, on behalf of all relays.
type Rooms interface {
	Census(ctx context.Context, channel string) (hub.Census, error)
	Disconnect(ctx context.Context, who hub.Target, reason string) (hub.Disconnected, error)
}

// Options are what an API works with.
type Options struct {
	// Bus takes what is published. Required.
	Bus bus.Bus
	// Rooms answers for the connections of all relays. Required.
	Rooms Rooms
	// Leaver lets this relay leave. Required.
	Leaver Leaver
	// Keys returns the API keys now in force; a file that holds them may
	// change at any time. Nil or no keys: everybody who reaches the listener
	// may use it, so it must be a loopback one.
	Keys func() []string
	// Tokens returns the secret that signs client tokens. Nil or no secret:
	// POST /v1/tokens answers not_configured.
	Tokens func() []byte
	// MaxEventBytes bounds an event's data as compact JSON, MaxRequestBytes a
	// request's body. Zero means the default.
	MaxEventBytes, MaxRequestBytes int
	// Loopback says that the listener's address is loopback. Then Host must be
	// too, or a page whose name was bound to 127.0.0.1 could publish.
	Loopback bool
	// Log gets what is the relay's own fault. Nil: nothing is logged.
	Log *slog.Logger
	// Metrics counts. Nil: nothing is counted.
	Metrics Metrics
	// OpenAPI is the text that GET /openapi.yaml serves.
	OpenAPI []byte
}

// API serves the app. It is an http.Handler.
type API struct {
	options  Options
	router   *chi.Mux
	patience deadlines
}

// New makes an API.
func New(o Options) *API {
	if o.Keys == nil {
		o.Keys = func() []string { return nil }
	}
	if o.Tokens == nil {
		o.Tokens = func() []byte { return nil }
	}
	if o.MaxEventBytes == 0 {
		o.MaxEventBytes = DefaultMaxEventBytes
	}
	if o.MaxRequestBytes == 0 {
		o.MaxRequestBytes = DefaultMaxRequestBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NoMetrics{}
	}
	a := &API{options: o}
	a.router = a.routes()
	return a
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.router.ServeHTTP(w, r) }

// ConsolePublish publishes for the page that the public listener serves, as
// POST /v1/events does, but for requests of that very page: same origin, and
// that origin loopback. It asks for no key, so it may be mounted only where
// everybody who reaches the listener may publish.
func (a *API) ConsolePublish() http.Handler {
	return chi.Chain(a.recoverPanics, a.requireLoopbackPage, a.limitBody).HandlerFunc(a.handle(a.publish))
}

func (a *API) routes() *chi.Mux {
	r := chi.NewRouter()
	r.Use(a.recoverPanics, a.refuseOrigin, a.refuseForeignHost)
	r.NotFound(a.notFound)
	r.MethodNotAllowed(a.methodNotAllowed)
	r.Get("/openapi.yaml", a.contract)
	r.Group(func(r chi.Router) {
		r.Use(a.requireKey, a.limitBody)
		r.Post("/v1/events", a.handle(a.publish))
		r.Get("/v1/channels/{channel}", a.handle(a.channel))
		r.Get("/v1/channels/{channel}/events", a.handle(a.history))
		r.Delete("/v1/channels/{channel}/events", a.handle(a.deleteHistory))
		r.Post("/v1/disconnect", a.handle(a.disconnect))
		r.Post("/v1/tokens", a.handle(a.token))
		r.Post("/v1/drain", a.drain)
		r.Get("/v1/drain", a.handle(a.drainState))
	})
	return r
}

// contract serves openapi.yaml (media type: RFC 9512).
func (a *API) contract(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(a.options.OpenAPI)
}
