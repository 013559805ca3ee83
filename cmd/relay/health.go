package main

import (
	"net/http"
	"sync/atomic"

	"relay/bus"
	"relay/event"
	"relay/hub"
	"relay/problem"
)

// health answers probes.
type health struct {
	bus    bus.Bus
	hub    *hub.Hub
	strict bool
	// answered: the bus has been healthy once. A relay with a wrong Redis URL
	// must not become ready and so stops a rollout; but an outage later must
	// not pull every pod of the app out of service, unless strict says so.
	answered atomic.Bool
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
	err := h.bus.Healthy()
	if err == nil {
		h.answered.Store(true)
	} else if h.strict || !h.answered.Load() {
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
