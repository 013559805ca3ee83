// Package auth says who a client is and to which channels it may subscribe:
// grants, the patterns in them, and the verifier that turns a client token
// into a grant. Doors call it in their handshake; the hub asks the grant
// before each subscription.
package auth

import (
	"time"

	"relay/event"
)

// Grant is what a client may do.
type Grant struct {
	// User is the token's subject; empty for a client without a token.
	User string
	// Subscribe lists the channels the client may subscribe to.
	Subscribe []event.Pattern
	// Expires is when the grant ends; zero means never.
	Expires time.Time
}

// Allows reports whether the grant covers a channel.
func (g *Grant) Allows(channel string) bool {
	for _, p := range g.Subscribe {
		if p.Match(channel) {
			return true
		}
	}
	return false
}
