package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// DrainOptions say which relay is to leave.
type DrainOptions struct {
	// URL is the address of the API listener, like http://127.0.0.1:8081.
	URL string
	// Key is an API key; empty if the relay asks for none.
	Key string
}

// DrainStatus is how far a relay is with leaving.
type DrainStatus struct {
	// State is serving, waiting, holding, releasing or drained.
	State       string `json:"state"`
	Connections int    `json:"connections"`
	// Deadline is when it is over at the latest; zero while serving.
	Deadline time.Time `json:"deadline"`
}

// Drained is the last state.
const Drained = "drained"

// Drain lets a relay leave, and does not wait for it. The error is a *Problem
// if the relay refused.
func Drain(ctx context.Context, o DrainOptions) (DrainStatus, error) {
	return drain(ctx, http.MethodPost, o)
}

// DrainState asks how far it is.
func DrainState(ctx context.Context, o DrainOptions) (DrainStatus, error) {
	return drain(ctx, http.MethodGet, o)
}

func drain(ctx context.Context, method string, o DrainOptions) (status DrainStatus, err error) {
	u, err := endpoint(o.URL, "v1", "drain")
	if err != nil {
		return status, err
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return status, err
	}
	if o.Key != "" {
		request.Header.Set("Authorization", "Bearer "+o.Key)
	}
	answer, err := steadfast.Do(request)
	if err != nil {
		return status, unreachable(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusAccepted {
		return status, readProblem(answer)
	}
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
		return status, fmt.Errorf("the relay's answer cannot be read: %w", err)
	}
	return status, nil
}
