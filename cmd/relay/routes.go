package main

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"relay/api"
	"relay/console"
	"relay/event"
	"relay/hostport"
	"relay/problem"
	"relay/transport/handshake"
	"relay/transport/poll"
	"relay/transport/sse"
	"relay/transport/ws"
)

// publicRoutes are the doors for clients, below the public path.
func (r *relay) publicRoutes(policy *handshake.Policy, app *api.API) http.Handler {
	cfg := r.config
	mux := chi.NewMux()
	mux.NotFound(notFound)
	mux.Handle(cfg.PublicPath+"/v1/ws", ws.Handler(ws.Options{
		Hub: r.hub, Loop: r.loop, Policy: policy, MaxFrameBytes: cfg.MaxFrameBytes, QueueBytes: cfg.QueueBytes, Log: r.log,
	}))
	mux.Handle(cfg.PublicPath+"/v1/sse", sse.Handler(sse.Options{
		Hub: r.hub, Loop: r.loop, Policy: policy, QueueBytes: cfg.QueueBytes, Log: r.log,
	}))
	mux.Handle(cfg.PublicPath+"/v1/poll", poll.Handler(poll.Options{
		Hub: r.hub, Policy: policy, AnswerBytes: cfg.QueueBytes, Log: r.log,
	}))
	if cfg.Console {
		if cfg.ConsolePublish {
			mux.Method(http.MethodPost, cfg.PublicPath+"/console/events", app.ConsolePublish())
		}
		page := r.localOnly(cfg.PublicAddr, console.Handler(console.Options{
			PublicPath: cfg.PublicPath, Publish: cfg.ConsolePublish, APIURL: r.api.url(),
			NeedsKey: cfg.APIKeys.IsSet(), TakesTokens: policy.TakesTokens(),
		}))
		mux.Handle(cfg.PublicPath+"/", page)
		mux.Handle(cfg.PublicPath+"/console/*", page)
		if cfg.PublicPath != "" {
			mux.Handle(cfg.PublicPath, page) // which leads to the slash
		}
	}
	return boundBodies(mux)
}

func notFound(w http.ResponseWriter, req *http.Request) {
	problem.New(http.StatusNotFound, event.CodeNotFound,
		"Nothing is here. Clients use /v1/ws, /v1/sse or /v1/poll below the public path; publishers POST /v1/events on the api listener.").Write(w)
}

// opsRoutes are for whoever runs the relay.
func (r *relay) opsRoutes() http.Handler {
	mux := chi.NewMux()
	mux.Use(middleware.GetHead)
	mux.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		problem.New(http.StatusNotFound, event.CodeNotFound,
			"This listener has /livez, /readyz, /startupz and /metrics.").Write(w)
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "GET, HEAD")
		problem.New(http.StatusMethodNotAllowed, event.CodeMethodNotAllowed, "This listener answers to GET and HEAD.").Write(w)
	})
	mux.Get("/livez", r.health.live)
	mux.Get("/readyz", r.health.ready)
	// Started is when it listens, which it does or it would not answer. It
	// must not wait for Redis: the app's container starts after the sidecar.
	mux.Get("/startupz", r.health.live)
	mux.Method(http.MethodGet, "/metrics", r.metrics.Handler())
	return r.localOnly(r.config.OpsAddr, mux)
}

// localOnly refuses, where addr is loopback, requests for other hosts: a page
// whose name was bound to 127.0.0.1 (DNS rebinding) could read the answers.
func (r *relay) localOnly(addr string, next http.Handler) http.Handler {
	if !hostport.IsLoopbackListen(addr) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !hostport.IsLoopback(req.Host) {
			problem.New(http.StatusForbidden, event.CodeHostForbidden,
				"This listens on a loopback address and answers only to localhost, 127.0.0.1 and [::1].").Write(w)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// bodyPatience is how long a client of the public listener may take to send a body.
const bodyPatience = 10 * time.Second

// boundBodies keeps strangers from holding a connection with a body that
// never ends. The listener can have no deadline of its own, since streams have
// none; but clients connect with GET, and only the page's form has a body.
func boundBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		// An error means that the connection is gone, which reading finds too.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyPatience))
		if r.Method != http.MethodPost {
			problem.New(http.StatusBadRequest, event.CodeInvalidRequest, "A "+http.MethodGet+" request has no body here.").Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
