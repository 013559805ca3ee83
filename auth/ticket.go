package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"relay/event"
)

// TicketTTL is how long a ticket is good at most: long enough for a client to
// come back, and short enough that nobody needs to take one back.
const TicketTTL = 2 * time.Minute

// ticketPurpose keeps keys for other purposes, derived from the same secret,
// from being this one.
const ticketPurpose = "relay: resume ticket"

// Tickets makes and reads resume tickets: what a relay gives to a client that
// it sends away, so that the next relay need not check its token again. A
// ticket is a token of the relay's own (the same form, signed with a key that
// only relays have) that repeats what the client's token granted, until it
// expires. It may be used by many goroutines at once.
type Tickets struct {
	key      func() []byte
	verifier *Verifier
}

// NewTickets makes tickets that relays with the same secret read. It asks for
// the secret each time. As long as it has fewer than MinSecretBytes, no ticket
// is made and none accepted.
func NewTickets(secret func() []byte) *Tickets {
	key := func() []byte { return deriveKey(secret(), ticketPurpose) }
	return &Tickets{key: key, verifier: NewVerifier(key)}
}

// deriveKey makes the key for a purpose (RFC 5869), or nil of a secret that is
// too short.
func deriveKey(secret []byte, purpose string) []byte {
	if len(secret) < MinSecretBytes {
		return nil
	}
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, sha256.Size)
	if err != nil {
		return nil // cannot be: 32 bytes can always be derived
	}
	return key
}

// Seal makes a ticket for a grant that came from a token, or "" if there can
// be none: for a grant without a user or an end, one that is over, or one too
// long for an address.
func (t *Tickets) Seal(g Grant, now time.Time) string {
	key := t.key()
	if key == nil || g.User == "" || g.Expires.IsZero() || !now.Before(g.Expires) {
		return ""
	}
	// In whole seconds, cut off: a ticket is never good for longer than said.
	claims := jwt.MapClaims{"sub": g.User, "exp": g.Expires.Unix(), "iat": now.Unix()}
	if g.Subscribe != nil {
		claims["subscribe"] = g.Subscribe
	}
	ticket, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(key)
	if err != nil || len(ticket) > event.MaxTokenBytes {
		return ""
	}
	return ticket
}

var errOldTicket = errors.New("the ticket is too old")

// Open checks a ticket's signature and times and returns what it grants, with
// the token's own end. The error is for nobody's eyes: whoever has no good
// ticket needs a token.
func (t *Tickets) Open(ticket string) (Grant, error) {
	text, err := t.verifier.open(ticket)
	if err != nil {
		return Grant{}, err
	}
	now := time.Now()
	grant, err := readClaims(text, now)
	if err != nil {
		return Grant{}, err
	}
	issued, err := issuedAt(text)
	if err != nil {
		return Grant{}, err
	}
	if now.Sub(issued) > TicketTTL {
		return Grant{}, errOldTicket
	}
	return grant, nil
}

func issuedAt(claims []byte) (time.Time, error) {
	var c claimSet
	if err := json.Unmarshal(claims, &c); err != nil {
		return time.Time{}, err
	}
	issued, ok, err := c.date("iat")
	if err == nil && !ok {
		err = errOldTicket
	}
	return issued, err
}
