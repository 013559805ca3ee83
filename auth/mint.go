package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"relay/event"
)

// Mint makes a client token that Verify accepts from now on until it expires,
// at now + ttl rounded up to a whole second. The errors are sentences about
// the arguments; for a user's name they are those of CheckUser.
func Mint(secret []byte, user string, subscribe []event.Pattern, ttl time.Duration, now time.Time) (token string, expires time.Time, err error) {
	if len(secret) < MinSecretBytes {
		return "", time.Time{}, fmt.Errorf("a token secret has at least %d bytes; this one has %d", MinSecretBytes, len(secret))
	}
	if err := CheckUser(user); err != nil {
		return "", time.Time{}, err
	}
	if err := checkPatterns(subscribe); err != nil {
		return "", time.Time{}, err
	}
	if ttl <= 0 {
		return "", time.Time{}, errors.New("a token needs a time to live of more than zero, such as 1h")
	}
	expires = ceilSecond(now.Add(ttl))
	if expires.Unix() > maxDate {
		return "", time.Time{}, errors.New("a token must expire before the year 10000")
	}
	token, err = sign(secret, user, subscribe, expires)
	if err != nil {
		return "", time.Time{}, err
	}
	if len(token) > event.MaxTokenBytes {
		return "", time.Time{}, fmt.Errorf("the token would have %d bytes, and at most %d are accepted; give fewer or wider patterns",
			len(token), event.MaxTokenBytes)
	}
	return token, expires, nil
}

// sign writes neither iat nor nbf: nobody needs them, and a relay whose clock
// is far behind this one would refuse the fresh token.
func sign(secret []byte, user string, subscribe []event.Pattern, expires time.Time) (string, error) {
	if subscribe == nil {
		subscribe = []event.Pattern{} // null is not a list
	}
	claims := jwt.MapClaims{"sub": user, "subscribe": subscribe, "exp": expires.Unix()}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
}

func checkPatterns(patterns []event.Pattern) error {
	if len(patterns) > maxSubscribe {
		return fmt.Errorf("a token has at most %d patterns; these are %d", maxSubscribe, len(patterns))
	}
	for _, p := range patterns {
		if _, err := event.ParsePattern(string(p)); err != nil {
			return err
		}
	}
	return nil
}

func ceilSecond(t time.Time) time.Time {
	whole := t.Truncate(time.Second)
	if whole.Before(t) {
		whole = whole.Add(time.Second)
	}
	return whole
}
