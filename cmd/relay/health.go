package main

import (
	"net/http"

	"relay/bus"
	"relay/event"
	"relay/hub"
	"relay/problem"
)

// health answers probes.
type health struct {
	bus bus.Bus
	hub *hub.Hub
	// strict: not ready whenever the bus is away. Otherwise only until it has
	// answered once: a wrong Redis URL should stop a rollout, but an outage
	// later must not pull every pod of the app out of service.
	strict bool
}

func newHealth(b bus.Bus, h *hub.Hub, strict bool) *health {
	return &health{bus: b, hub: h, strict: strict}
}

// live: the process answers.
func (h *health) live(w http.ResponseWriter, _ *http.Request) { ok(w) }

// ready: new clients may come.
func (h *health) ready(w http.ResponseWriter, _ *http.Request) {
	if h.hub.Draining() {
		problem.New(http.StatusServiceUnavailable, event.CodeDraining, "this relay is leaving").Write(w)
		return
	}
	if err := h.bus.Healthy(); err != nil && (h.strict || !h.hub.Heard()) {
		problem.New(http.StatusServiceUnavailable, event.CodeUnavailable, err.Error()).Write(w)
		return
	}
	ok(w)
}

func ok(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ok\n"))
}
