package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"relay/auth"
	"relay/event"
	"relay/hub"
	"relay/problem"
)

// disconnected answers POST /v1/disconnect.
type disconnected struct {
	Connections int `json:"connections"`
	// Complete is false if a relay did not say in time what it closed.
	Complete bool `json:"complete"`
}

// disconnect does POST /v1/disconnect.
func (a *API) disconnect(r *http.Request) (any, *problem.Problem) {
	who, reason, p := a.readDisconnect(r)
	if p != nil {
		return nil, p
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	done, err := a.options.Rooms.Disconnect(ctx, who, reason)
	if err != nil {
		return nil, unavailable("The relays could not be told to disconnect anybody now. Send the request again.")
	}
	return disconnected{Connections: done.Connections, Complete: done.Complete}, nil
}

func (a *API) readDisconnect(req *http.Request) (who hub.Target, reason string, p *problem.Problem) {
	p = a.readOrder(req, "user, connection and reason", func(r *reader, name string) bool {
		var ok bool
		switch name {
		case "user":
			if who.User, ok = r.text(); ok {
				r.noteInvalid(auth.CheckUser(who.User))
			}
		case "connection":
			who.Connection, ok = r.text()
			if ok && (who.Connection == "" || len(who.Connection) > event.MaxConnectionIDBytes) {
				r.note(event.CodeInvalidRequest, connectionIDRule)
			}
		case "reason":
			if reason, ok = r.text(); ok {
				r.noteInvalid(checkReason(reason))
			}
		default:
			return false
		}
		return true
	})
	if p == nil && (who.User == "") == (who.Connection == "") {
		p = invalidRequest(`Name whom to disconnect: either "user" or "connection".`)
	}
	return who, reason, p
}

func checkReason(reason string) error {
	if len(reason) > event.MaxReasonBytes {
		return fmt.Errorf("a reason has at most %d bytes, as it travels in a WebSocket close frame; this one has %d", event.MaxReasonBytes, len(reason))
	}
	if strings.ContainsFunc(reason, unicode.IsControl) {
		return errors.New("a reason must not hold control characters")
	}
	return nil
}
