package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"relay/api"
	"relay/console"
	"relay/event"
	"relay/hostport"
	"relay/problem"
	"relay/transport/handshake"
	"relay/transport/sse"
	"relay/transport/ws"
)

// publicRoutes are the doors for clients, below the public path.
func (r *relay) publicRoutes(policy *handshake.Policy, app *api.API) http.Handler {
	cfg := r.config
	mux := chi.NewMux()
	mux.NotFound(notFound)
	mux.Handle(cfg.PublicPath+"/v1/ws", ws.Handler(ws.Options{
		Hub: r.hub, Policy: policy, MaxFrameBytes: cfg.MaxFrameBytes, QueueBytes: cfg.QueueBytes, Log: r.log,
	}))
	mux.Handle(cfg.PublicPath+"/v1/sse", sse.Handler(sse.Options{
		Hub: r.hub, Policy: policy, QueueBytes: cfg.QueueBytes, Log: r.log,
	}))
	if cfg.Console {
		publish := r.consolePublishes()
		if publish {
			mux.Method(http.MethodPost, cfg.PublicPath+"/console/events", app.ConsolePublish())
		}
		page := console.Handler(console.Options{
			PublicPath: cfg.PublicPath, Publish: publish, APIURL: r.api.url(), TakesTokens: policy.TakesTokens(),
		})
		mux.Handle(cfg.PublicPath+"/", page)
		mux.Handle(cfg.PublicPath+"/console/*", page)
		if cfg.PublicPath != "" {
			mux.Handle(cfg.PublicPath, page) // which leads to the slash
		}
	}
	return mux
}

// consolePublishes: the page takes test events only where everybody who
// reaches it could publish anyway.
func (r *relay) consolePublishes() bool {
	return hostport.IsLoopbackListen(r.config.PublicAddr) && hostport.IsLoopbackListen(r.config.APIAddr) && !r.config.APIKeys.IsSet()
}

func notFound(w http.ResponseWriter, req *http.Request) {
	problem.New(http.StatusNotFound, event.CodeNotFound,
		"nothing is here; clients use /v1/ws or /v1/sse below the public path, publishers POST /v1/events on the api listener").Write(w)
}

// opsRoutes are for whoever runs the relay.
func (r *relay) opsRoutes() http.Handler {
	mux := chi.NewMux()
	mux.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		problem.New(http.StatusNotFound, event.CodeNotFound,
			"this listener has /livez, /readyz, /startupz and /metrics").Write(w)
	})
	mux.Get("/livez", r.health.live)
	mux.Get("/readyz", r.health.ready)
	// Started is when it listens, which it does or it would not answer. It
	// must not wait for Redis: the app's container starts after the sidecar.
	mux.Get("/startupz", r.health.live)
	mux.Method(http.MethodGet, "/metrics", r.metrics.Handler())
	return mux
}
