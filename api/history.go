package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"relay/bus"
	"relay/event"
	"relay/problem"
)

// How many events one answer holds.
const (
	defaultHistoryLimit = 100
	maxHistoryLimit     = 1000
)

// historyPage answers GET /v1/channels/{channel}/events.
type historyPage struct {
	Channel string         `json:"channel"`
	Events  []historyEvent `json:"events"`
	// Position is where the channel stood when this page was read.
	Position string `json:"position"`
	// Next is the position to ask for the following page from; empty if there
	// is none.
	Next string `json:"next,omitzero"`
	// Reset: since cannot be continued from, and Events are empty.
	Reset event.ResetCause `json:"reset,omitzero"`
}

type historyEvent struct {
	ID      string         `json:"id"`
	Event   string         `json:"event"`
	Data    jsontext.Value `json:"data"`
	Exclude []string       `json:"exclude,omitempty"`
}

// history does GET /v1/channels/{channel}/events.
func (a *API) history(r *http.Request) (any, *problem.Problem) {
	name, p := readPathChannel(r)
	if p != nil {
		return nil, p
	}
	from, limit, p := readHistoryQuery(r.URL)
	if p != nil {
		return nil, p
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	page, err := a.options.Bus.Resume(ctx, name, from, limit)
	if err != nil {
		return nil, unavailable("The channel's history could not be read now. Ask again.")
	}
	return newHistoryPage(name, page), nil
}

func newHistoryPage(channel string, page bus.Page) historyPage {
	answer := historyPage{
		Channel: channel, Events: make([]historyEvent, len(page.Events)),
		Position: page.Head.String(), Reset: page.Reset,
	}
	for i := range page.Events {
		e := page.Events[i].Event
		answer.Events[i] = historyEvent{ID: e.ID.String(), Event: e.Name, Data: e.Data, Exclude: e.Exclude}
	}
	if page.More {
		answer.Next = answer.Events[len(answer.Events)-1].ID
	}
	return answer
}

// readHistoryQuery reads ?since= and ?limit=. One that is empty is refused: an
// app whose variable was not set would otherwise read everything again.
func readHistoryQuery(u *url.URL) (from bus.From, limit int, p *problem.Problem) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return from, 0, invalidRequest("The query cannot be read; percent-encode what has a meaning in URLs.")
	}
	for _, name := range []string{"since", "limit"} {
		if len(query[name]) > 1 {
			return from, 0, invalidRequest(fmt.Sprintf("Parameter %s stands %d times; give it once.", name, len(query[name])))
		}
	}
	from, limit = bus.FromStart(), defaultHistoryLimit
	if query.Has("since") {
		position, err := event.ParsePosition(query.Get("since"))
		if err != nil {
			return from, 0, invalidRequest(fmt.Sprintf("Parameter since is a position, such as an event's id, not %q; "+
				"leave it out to read history from its beginning.", clip(query.Get("since"))))
		}
		from = bus.FromPosition(position)
	}
	if query.Has("limit") {
		limit, err = strconv.Atoi(query.Get("limit"))
		if err != nil || limit < 1 || limit > maxHistoryLimit {
			return from, 0, invalidRequest(fmt.Sprintf("Parameter limit is a whole number from 1 to %d, not %q.",
				maxHistoryLimit, clip(query.Get("limit"))))
		}
	}
	return from, limit, nil
}

// deleteHistory does DELETE /v1/channels/{channel}/events. The position stays
// known, so a client that has read everything before loses nothing.
func (a *API) deleteHistory(r *http.Request) (any, *problem.Problem) {
	name, p := readPathChannel(r)
	if p != nil {
		return nil, p
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	if err := a.options.Bus.Delete(ctx, name); err != nil {
		return nil, unavailable("The channel's history could not be deleted now. Send the request again; a repeat does no harm.")
	}
	return nil, nil // 204
}
