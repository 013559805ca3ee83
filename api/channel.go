package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"relay/bus"
	"relay/event"
	"relay/problem"
)

// channelState answers GET /v1/channels/{channel}.
type channelState struct {
	Channel     string      `json:"channel"`
	Subscribers subscribers `json:"subscribers"`
	// Position is where the channel stands. A client that subscribes since it
	// misses nothing that is published after this answer.
	Position string `json:"position"`
}

type subscribers struct {
	Relay    int  `json:"relay"`
	All      int  `json:"all"`
	Relays   int  `json:"relays"`
	Complete bool `json:"complete"`
}

// channel does GET /v1/channels/{channel}.
func (a *API) channel(r *http.Request) (any, *problem.Problem) {
	name, p := readPathChannel(r)
	if p != nil {
		return nil, p
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	census, err := a.options.Rooms.Census(ctx, name)
	if err != nil {
		return nil, unavailable("The subscribers could not be counted now. Ask again.")
	}
	page, err := a.options.Bus.Resume(ctx, name, bus.FromNow(), 0)
	if err != nil {
		return nil, unavailable("The channel's position could not be read now. Ask again.")
	}
	return channelState{
		Channel: name,
		Subscribers: subscribers{
			Relay: census.Local, All: census.Total, Relays: census.Relays, Complete: census.Complete,
		},
		Position: page.Head.String(),
	}, nil
}

// readPathChannel returns the channel in the path, if it can be one.
func readPathChannel(r *http.Request) (string, *problem.Problem) {
	name := pathChannel(r)
	if err := event.CheckChannel(name); err != nil {
		return "", problem.New(http.StatusBadRequest, event.CodeInvalidChannel, sentence(err))
	}
	return name, nil
}

// pathChannel returns the channel in the path. chi routes on the path as it
// was sent, but only if that differs from what net/url would have written (a
// slash in a name does); else the parameter has been decoded already, and
// decoding it again would make another name of one that holds a percent sign.
func pathChannel(r *http.Request) string {
	name := chi.URLParam(r, "channel")
	if r.URL.RawPath == "" {
		return name
	}
	decoded, err := url.PathUnescape(name)
	if err != nil {
		return name // cannot be: net/url decoded the whole path before
	}
	return decoded
}
