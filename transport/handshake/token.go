package handshake

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"relay/auth"
	"relay/event"
	"relay/problem"
)

const (
	tokenCookie = "relay_token"
	tokenParam  = "token"
	ticketParam = "ticket"
)

// Access is what a request may do.
type Access struct {
	Grant auth.Grant
	// Presented says that the grant comes from a token that was sent along.
	// Without one, a WebSocket door of a policy that takes tokens goes on
	// waiting for a token frame.
	Presented bool
}

// TakesTokens reports whether client tokens count. Without a verifier they are
// not looked at: a page that always sends one then works in development, where
// the relay runs with nothing configured, and gets what everyone gets.
func (p *Policy) TakesTokens() bool { return p.tokens != nil }

// Authenticate verifies the client token that came with a request and returns
// its grant, the public channels included. A request without a token has what
// everyone has, under no user's name and without end; that can be nothing, and
// then MissingToken is the answer of a door that cannot wait for a token. A
// token that is no good is a 401, even where no token would do: who sends one
// expects to be its user.
func (p *Policy) Authenticate(r *http.Request) (Access, *problem.Problem) {
	token := p.token(r)
	if token == "" || p.tokens == nil {
		return Access{Grant: p.anonymous()}, nil
	}
	grant, err := p.Verify(token)
	if err != nil {
		return Access{}, TokenProblem(err)
	}
	return Access{Grant: grant, Presented: true}, nil
}

// Readmit is Authenticate for a door whose clients may come back with a ticket
// of another relay instead of their token. A ticket that is no good (any more)
// does no harm to who sends a token as well; alone, it is refused like a bad
// token.
func (p *Policy) Readmit(r *http.Request) (Access, *problem.Problem) {
	ticket := r.URL.Query().Get(ticketParam)
	if ticket == "" || p.tokens == nil {
		return p.Authenticate(r)
	}
	if grant, ok := p.open(ticket); ok {
		return Access{Grant: grant, Presented: true}, nil
	}
	if p.token(r) == "" {
		return Access{}, problem.New(http.StatusUnauthorized, event.CodeTokenInvalid,
			"The ticket is not good, or not any more: it is for coming back within two minutes of a goodbye. Connect with a client token.")
	}
	return p.Authenticate(r)
}

func (p *Policy) open(ticket string) (auth.Grant, bool) {
	if p.tickets == nil {
		return auth.Grant{}, false
	}
	grant, err := p.tickets.Open(ticket)
	if err != nil {
		return auth.Grant{}, false
	}
	grant.Subscribe = slices.Concat(grant.Subscribe, p.everyone)
	return grant, true
}

// Ticket makes what lets a client with this grant, of Authenticate or Verify,
// in at another relay; "" if it came without a token.
func (p *Policy) Ticket(g auth.Grant) string {
	if p.tickets == nil || g.User == "" {
		return ""
	}
	// What everyone has, the next relay adds by its own settings.
	g.Subscribe = g.Subscribe[:len(g.Subscribe)-len(p.everyone)]
	return p.tickets.Seal(g, time.Now())
}

// Verify returns the grant of a token that came later (in a token frame), the
// public channels included. Every error is an *auth.TokenError. A policy that
// takes no tokens does not look at it and grants what everyone has.
func (p *Policy) Verify(token string) (auth.Grant, error) {
	if p.tokens == nil {
		return p.anonymous(), nil
	}
	grant, err := p.tokens.Verify(token)
	if err != nil {
		return auth.Grant{}, err
	}
	grant.Subscribe = slices.Concat(grant.Subscribe, p.everyone)
	return grant, nil
}

func (p *Policy) anonymous() auth.Grant { return auth.Grant{Subscribe: p.everyone} }

// MissingToken refuses a client that brought no token and may not have what it
// asks for without one. It is for a policy that takes tokens.
func MissingToken() *problem.Problem {
	return problem.New(http.StatusUnauthorized, event.CodeTokenMissing,
		"This needs a client token: send it as Authorization: Bearer TOKEN, as ?token=TOKEN, or as the cookie "+tokenCookie+" from a page of the relay's own or an exactly listed origin; a WebSocket can also send it in a token frame.")
}

// TokenProblem is the HTTP answer to an error of Verify: 401, with the code of
// the *auth.TokenError.
func TokenProblem(err error) *problem.Problem {
	code := event.CodeTokenInvalid
	if refusal, ok := errors.AsType[*auth.TokenError](err); ok {
		code = refusal.Code
	}
	return problem.New(http.StatusUnauthorized, code, err.Error())
}

// token finds a request's client token: the header before the query before
// the cookie. The first two are put there by whoever makes the request; a
// cookie the browser adds by itself, on behalf of whichever page asked, so it
// counts only for pages that are trusted by name. An empty token is none.
func (p *Policy) token(r *http.Request) string {
	if token := bearer(r.Header.Get("Authorization")); token != "" {
		return token
	}
	// Query skips pairs that it cannot decode; ParseQuery complains about them.
	if token := r.URL.Query().Get(tokenParam); token != "" {
		return token
	}
	if p.standing(r) != trusted {
		return ""
	}
	cookie, err := r.Cookie(tokenCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// bearer returns the token of an Authorization header of that scheme, whose
// name has no case (RFC 9110, section 11.1). Other schemes are somebody
// else's, say of a proxy with a password.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
