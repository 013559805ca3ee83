package auth

import (
	"bytes"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"relay/event"
)

// Verifier turns client tokens into grants: JWTs (RFC 7519) signed with HS256
// and a secret that the relay shares with the app. It may be used by many
// goroutines at once.
type Verifier struct {
	secret func() []byte
	parser *jwt.Parser
}

// NewVerifier makes a verifier. It asks for the secret at each token, because
// a secret from a file changes while the relay runs. As long as secret returns
// fewer than MinSecretBytes (a file caught half-written), no token is accepted.
func NewVerifier(secret func() []byte) *Verifier {
	return &Verifier{
		secret: secret,
		parser: jwt.NewParser(
			// Without this list the token's own header would choose the
			// algorithm, "none" included.
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithStrictDecoding(),
			jwt.WithoutClaimsValidation(), // readClaims does it, more strictly
		),
	}
}

// Verify checks a token's signature and claims, by the clock and without any
// leeway, and returns what it grants. Every error is a *TokenError.
func (v *Verifier) Verify(token string) (Grant, error) {
	claims, err := v.open(token)
	if err != nil {
		return Grant{}, err
	}
	grant, err := readClaims(claims, time.Now())
	if err != nil {
		return Grant{}, err
	}
	return grant, nil
}

// open returns the claims' JSON of a token that the secret signed.
func (v *Verifier) open(token string) ([]byte, error) {
	if err := checkShape(token); err != nil {
		return nil, err
	}
	var claims sealed
	parsed, err := v.parser.ParseWithClaims(token, &claims, v.key)
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, malformed()
	case err != nil:
		return nil, refused()
	}
	// RFC 7515, 4.1.11: who does not know an extension that the header calls
	// critical must not accept the token. The library does not look.
	if _, critical := parsed.Header["crit"]; critical {
		return nil, invalid(`The client token's header has a "crit" extension, and the relay knows none; make the token without it.`)
	}
	return claims.text, nil
}

var errNoSecret = errors.New("the secret is too short to trust a signature")

func (v *Verifier) key(*jwt.Token) (any, error) {
	secret := v.secret()
	if len(secret) < MinSecretBytes {
		return nil, errNoSecret
	}
	return secret, nil
}

// checkShape refuses what the library would read too kindly (base64 in Go
// skips line breaks) or should not have to read at all.
func checkShape(token string) error {
	if token == "" {
		return missing()
	}
	if len(token) > event.MaxTokenBytes {
		return invalid("A client token has at most %d bytes; this one has %d. Fewer or wider patterns in its subscribe claim make it shorter.",
			event.MaxTokenBytes, len(token))
	}
	for i := range len(token) {
		if !isTokenByte(token[i]) {
			return malformed()
		}
	}
	return nil
}

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.'
}

// sealed keeps the claims as text until the signature has been checked: the
// library wants them decoded before, and nothing that nobody signed should
// reach a decoder with opinions. Its other methods serve the library's
// interface and are not called.
type sealed struct {
	jwt.RegisteredClaims
	text []byte
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *sealed) UnmarshalJSON(b []byte) error {
	s.text = bytes.Clone(b) // b is only valid during the call
	return nil
}
