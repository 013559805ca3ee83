package auth

import (
	"fmt"
	"time"

	"relay/event"
)

// MinSecretBytes is the least length of a token secret. An HMAC key shorter
// than its hash's output weakens the signature (RFC 7518, section 3.2).
const MinSecretBytes = 32

const (
	// maxSubscribe bounds the patterns of a token: each subscription of the
	// client is compared with all of them.
	maxSubscribe = 1000
	// maxUserBytes bounds the name of a user, which stands in logs and in the API.
	maxUserBytes = 255
)

// TokenError says why a client token was refused. Whoever holds the token may
// be a stranger, so the detail never says which check of the signature failed.
type TokenError struct {
	// Code is event.CodeTokenMissing, CodeTokenInvalid or CodeTokenExpired.
	Code event.Code
	// Detail is one or two sentences: what is wrong and what to do about it.
	Detail string
}

func (e *TokenError) Error() string { return e.Detail }

func invalid(format string, args ...any) *TokenError {
	return &TokenError{Code: event.CodeTokenInvalid, Detail: fmt.Sprintf(format, args...)}
}

func expired(at time.Time) *TokenError {
	return &TokenError{
		Code:   event.CodeTokenExpired,
		Detail: "The client token expired at " + stamp(at) + "; fetch a fresh one from the app.",
	}
}

func missing() *TokenError {
	return &TokenError{
		Code:   event.CodeTokenMissing,
		Detail: "A client token is needed here, and the text that was sent as one is empty.",
	}
}

// refused answers every failure of algorithm, key and signature alike: telling
// them apart would help only who tries to forge one.
func refused() *TokenError {
	return invalid("The relay accepts client tokens that are signed with HS256 and its own RELAY_JWT_SECRET; this one is not.")
}

func malformed() *TokenError {
	return invalid("This is not a client token: a token is a JWT, three base64url parts joined by dots of which the first two hold JSON objects.")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
