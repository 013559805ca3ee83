package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"relay/auth"
	"relay/event"
	"relay/problem"
)

// A token cannot be taken back, so how long one lives is how long a client
// keeps what it once got.
const (
	defaultTokenTTL = time.Hour
	minTokenTTL     = time.Second
	maxTokenTTL     = 30 * 24 * time.Hour
)

// minted answers POST /v1/tokens.
type minted struct {
	Token string `json:"token"`
	// ExpiresAt is in RFC 3339.
	ExpiresAt string `json:"expires_at"`
}

// tokenOrder is the body of POST /v1/tokens.
type tokenOrder struct {
	user      string
	subscribe []event.Pattern // nil: not given
	ttl       time.Duration
}

// token does POST /v1/tokens.
func (a *API) token(r *http.Request) (any, *problem.Problem) {
	secret := a.options.Tokens()
	if len(secret) < auth.MinSecretBytes {
		return nil, problem.New(http.StatusNotImplemented, event.CodeNotConfigured, fmt.Sprintf(
			"This relay has no secret to sign client tokens with. Set RELAY_JWT_SECRET to %d random bytes or more, the same on every relay.",
			auth.MinSecretBytes))
	}
	order, p := a.readTokenOrder(r)
	if p != nil {
		return nil, p
	}
	token, expires, err := auth.Mint(secret, order.user, order.subscribe, order.ttl, time.Now())
	if err != nil {
		return nil, invalidRequest(sentence(err))
	}
	return minted{Token: token, ExpiresAt: expires.UTC().Format(time.RFC3339)}, nil
}

func (a *API) readTokenOrder(req *http.Request) (tokenOrder, *problem.Problem) {
	o := tokenOrder{ttl: defaultTokenTTL}
	p := a.readOrder(req, "user, subscribe and ttl", func(r *reader, name string) bool {
		switch name {
		case "user":
			var ok bool
			if o.user, ok = r.text(); ok {
				r.noteInvalid(auth.CheckUser(o.user))
			}
		case "subscribe":
			o.subscribe = r.patterns()
		case "ttl":
			if text, ok := r.text(); ok {
				var err error
				o.ttl, err = parseTTL(text)
				r.noteInvalid(err)
			}
		default:
			return false
		}
		return true
	})
	switch {
	case p != nil:
	case o.user == "":
		p = invalidRequest(`"user" is missing: say who the token is for.`)
	case o.subscribe == nil:
		p = invalidRequest(`"subscribe" is missing: list the channels, or patterns such as "orders.*", to which the user may subscribe.`)
	}
	return o, p
}

func (r *reader) patterns() []event.Pattern {
	patterns := []event.Pattern{}
	if !r.open(jsontext.KindBeginArray, "a list of channel patterns") {
		return patterns
	}
	for r.more(jsontext.KindEndArray) {
		text, ok := r.text()
		if !ok {
			continue
		}
		pattern, err := event.ParsePattern(text)
		r.noteInvalid(err)
		patterns = append(patterns, pattern)
	}
	return patterns
}

func parseTTL(text string) (time.Duration, error) {
	ttl, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf(`a ttl looks like "90s", "15m" or "12h", not %q`, clip(text))
	}
	if ttl < minTokenTTL || ttl > maxTokenTTL {
		return 0, fmt.Errorf("a ttl lies between 1s and 720h (30 days); %q does not. A token cannot be taken back, so short is better", clip(text))
	}
	return ttl, nil
}
