package auth

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"relay/event"
)

// claimSet holds a token's claims by their exact names, each still JSON. The
// decoder refuses a name that comes twice and text that is not UTF-8, so that
// the app that signed and the relay that reads cannot see two different tokens.
type claimSet map[string]jsontext.Value

// readClaims returns what signed claims grant at a moment.
func readClaims(text []byte, now time.Time) (Grant, error) {
	var c claimSet
	if err := json.Unmarshal(text, &c); err != nil || c == nil {
		return Grant{}, invalid("The client token's claims must be one JSON object in UTF-8 in which no name comes twice.")
	}
	expires, err := c.times(now)
	if err != nil {
		return Grant{}, err
	}
	user, err := c.user()
	if err != nil {
		return Grant{}, err
	}
	patterns, err := c.subscribe()
	if err != nil {
		return Grant{}, err
	}
	return Grant{User: user, Subscribe: patterns, Expires: expires}, nil
}

// clockSkew is how far the clock of the machine that signs may be ahead of the
// relay's. JWT libraries write iat by themselves; without it an app in another
// pod, a second ahead, would be refused each fresh token.
const clockSkew = 10 * time.Second

// times checks exp, nbf and iat (RFC 7519, section 4.1) and returns exp.
func (c claimSet) times(now time.Time) (time.Time, error) {
	expires, ok, err := c.date("exp")
	if err != nil {
		return time.Time{}, err
	}
	if !ok {
		return time.Time{}, invalid(`The client token has no "exp" claim; the relay takes only tokens that expire.`)
	}
	if !now.Before(expires) {
		return time.Time{}, expired(expires)
	}
	for _, name := range []string{"nbf", "iat"} {
		from, ok, err := c.date(name)
		if err != nil {
			return time.Time{}, err
		}
		if ok && now.Add(clockSkew).Before(from) {
			return time.Time{}, invalid("The client token is valid from %s on (its %q claim), and for the relay it is %s; wait, or set the clocks right.",
				stamp(from), name, stamp(now))
		}
	}
	return expires, nil
}

// maxDate is the last second of the year 9999. Later dates cannot be written
// down, overflow timers, and are milliseconds taken for seconds anyway.
const maxDate = 253402300799

// date reads a NumericDate (RFC 7519, section 2): a JSON number of seconds
// since 1970, fractions allowed. A number in a string is not one.
func (c claimSet) date(name string) (t time.Time, ok bool, err error) {
	value, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	var seconds float64
	if value.Kind() != '0' || json.Unmarshal(value, &seconds) != nil {
		return time.Time{}, false, invalid("The client token's %q claim must be a number of seconds since 1970, not text or anything else.", name)
	}
	if seconds < 0 || seconds > maxDate {
		return time.Time{}, false, invalid("The client token's %q claim is out of range: it counts seconds since 1970 (not milliseconds) up to the year 9999.", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true, nil
}

func (c claimSet) user() (string, error) {
	value, ok := c["sub"]
	if !ok {
		return "", invalid(`The client token has no "sub" claim; it names the user.`)
	}
	var user string
	if value.Kind() != '"' || json.Unmarshal(value, &user) != nil {
		return "", invalid(`The client token's "sub" claim must be a string that names the user.`)
	}
	if err := CheckUser(user); err != nil {
		return "", invalid(`The client token's "sub" claim does not name a user: %v.`, err)
	}
	return user, nil
}

// subscribe reads the patterns. A token without them is good: it names its
// user, who then has the public channels.
func (c claimSet) subscribe() ([]event.Pattern, error) {
	value, ok := c["subscribe"]
	if !ok {
		return nil, nil
	}
	var texts []string
	if value.Kind() != '[' || json.Unmarshal(value, &texts) != nil {
		return nil, invalid(`The client token's "subscribe" claim must be a list of strings, such as ["orders.42", "news.*"].`)
	}
	if len(texts) > maxSubscribe {
		return nil, invalid(`The client token's "subscribe" claim has at most %d patterns; this one has %d. A pattern that ends in * covers many channels.`,
			maxSubscribe, len(texts))
	}
	patterns := make([]event.Pattern, len(texts))
	for i, text := range texts {
		p, err := event.ParsePattern(text)
		if err != nil {
			return nil, invalid(`The client token's "subscribe" claim holds something that names no channel: %v.`, err)
		}
		patterns[i] = p
	}
	return patterns, nil
}

// CheckUser says whether name may name a user, and if not, why.
func CheckUser(name string) error {
	if name == "" {
		return errors.New("a user needs a name")
	}
	if len(name) > maxUserBytes {
		return fmt.Errorf("a user's name has at most %d bytes; this one has %d", maxUserBytes, len(name))
	}
	if !utf8.ValidString(name) {
		return errors.New("a user's name must be valid UTF-8")
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("a user's name must not hold control characters; this one holds %U", r)
		}
	}
	return nil
}
