// Package handshake is what every door does before it accepts a client:
// refuse foreign hosts and origins, find and verify the client token, and read
// the query. It knows HTTP and grants, but no hub and no wire.
//
// A WebSocket door calls Admit, ParseQuery and Readmit, in this order;
// what Admit refuses is answered with its HTTP status, what the others refuse
// can wait until after the upgrade. The doors of SSE and polling stand behind
// CORS, which calls Admit for them.
package handshake

import (
	"errors"
	"fmt"
	"slices"

	"relay/auth"
	"relay/event"
)

// Options say who is let in. The zero value lets nobody in, and New refuses it.
type Options struct {
	// Tokens verifies client tokens; nil: this relay takes none.
	Tokens *auth.Verifier
	// Tickets lets clients come back without their token; nil: they cannot.
	Tickets *auth.Tickets
	// Public lists what anyone may subscribe to, with a token or without.
	Public []event.Pattern
	// Open gives every channel to everyone (RELAY_OPEN).
	Open bool
	// OpenLocal gives every channel to everyone on this machine: nothing else
	// is configured, and the public listener is on a loopback address. It
	// excludes Tokens, Public and Open.
	OpenLocal bool
	// Origins lists the page origins that may connect beside the relay's own:
	// "https://app.example.com", "https://*.example.com" (any subdomain, at
	// any depth, but not example.com), or "*".
	Origins []string
	// LoopbackOrigins lets pages of any origin on this machine connect too.
	// It is for a listener on a loopback address.
	LoopbackOrigins bool
}

// Policy is the Options, checked. It never changes and may be used by many
// goroutines at once.
type Policy struct {
	tokens    *auth.Verifier
	tickets   *auth.Tickets
	everyone  []event.Pattern // what a client has without a token
	openLocal bool
	origins   originRules
}

// New checks the options. Its errors are sentences for whoever configured them.
func New(o Options) (*Policy, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &Policy{
		tokens: o.Tokens, tickets: o.Tickets,
		// Grants share this list: clipped, an append to one of them copies it.
		everyone:  slices.Clip(slices.Clone(o.Public)),
		openLocal: o.OpenLocal,
		origins:   originRules{loopback: o.LoopbackOrigins},
	}
	if o.Open || o.OpenLocal {
		p.everyone = []event.Pattern{"*"}
	}
	for _, text := range o.Origins {
		if err := p.origins.add(text); err != nil {
			return nil, fmt.Errorf("allowed origin %q: %w", clip(text), err)
		}
	}
	return p, nil
}

func (o *Options) check() error {
	configured := o.Tokens != nil || len(o.Public) > 0 || o.Open
	switch {
	case !configured && !o.OpenLocal:
		return errors.New("no client could subscribe to anything; set RELAY_JWT_SECRET, RELAY_PUBLIC_CHANNELS or RELAY_OPEN=true")
	case configured && o.OpenLocal:
		// Whoever sets one of them means it to be the rule, not everything.
		return errors.New("a relay with tokens, public channels or RELAY_OPEN must not be open to this machine as well")
	}
	return nil
}

// clip keeps a stranger's text short in sentences.
func clip(s string) string { return event.Clip(s, 100) }
