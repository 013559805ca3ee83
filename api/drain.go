package api

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"relay/hub"
	"relay/problem"
)

// Leaver lets this relay leave, and says how far it is.
type Leaver interface {
	// Leave begins a drain, unless one is under way. It does not wait.
	Leave()
	DrainStatus() hub.DrainStatus
}

// drainStatus answers /v1/drain.
type drainStatus struct {
	State       hub.DrainState `json:"state"`
	Connections int            `json:"connections"`
	// Deadline is when it is over at the latest; missing while serving.
	Deadline string `json:"deadline,omitzero"`
}

func (a *API) drainStatus() drainStatus {
	s := a.options.Leaver.DrainStatus()
	status := drainStatus{State: s.State, Connections: s.Connections}
	if !s.Deadline.IsZero() {
		status.Deadline = s.Deadline.UTC().Format(time.RFC3339Nano)
	}
	return status
}

// drainState does GET /v1/drain.
func (a *API) drainState(*http.Request) (any, *problem.Problem) { return a.drainStatus(), nil }

// drain does POST /v1/drain: accepted, not done. A repeat changes nothing.
func (a *API) drain(w http.ResponseWriter, _ *http.Request) {
	a.options.Leaver.Leave()
	body, err := json.Marshal(a.drainStatus())
	if err != nil {
		panic(err) // a mistake in this package: only its own types are answered
	}
	writeJSON(w, http.StatusAccepted, body)
}
