package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"relay/cmd/relay/internal/suggest"
)

// minSecretBytes is the size of an HMAC-SHA256 key that is not weaker than
// the hash (RFC 7518, section 3.2).
const minSecretBytes = 32

func checkJWTSecret(text string) *Problem {
	if len(text) < minSecretBytes {
		return unfit(fmt.Sprintf("a secret of %d bytes can be guessed; at least %d are needed", len(text), minSecretBytes),
			"`openssl rand -base64 48` makes a good one")
	}
	return nil
}

func checkAPIKeys(text string) *Problem {
	keys := splitKeys(text)
	if len(keys) == 0 {
		return unfit("there is no key in it", "")
	}
	for i, key := range keys {
		// A header carries visible ASCII without doubt, and nothing else (RFC 9110, 5.5).
		if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return unfit(fmt.Sprintf("key %d of %d holds white space or characters outside of ASCII, which cannot stand in a header", i+1, len(keys)),
				"`openssl rand -hex 24` makes a good one")
		}
	}
	return nil
}

// checkRedisURL never passes on a URL error: it would quote the password.
func checkRedisURL(text string) *Problem {
	const example = "write it like redis://user:password@host:6379; characters such as / # @ % in the password are percent-encoded"
	u, err := url.Parse(text)
	if err != nil {
		return unfit("it is not a URL that can be read", example)
	}
	if strings.Contains(u.Host, ",") {
		return unfit("it names several hosts with a comma", "write redis://host1:6379?addr=host2:6379&addr=host3:6379")
	}
	switch u.Scheme {
	case "redis", "rediss", "valkey", "valkeys":
		if u.Host == "" {
			return unfit("it names no host", example)
		}
	case "unix":
		if u.Path == "" {
			return unfit("it names no socket", "write it like unix:///run/redis/redis.sock")
		}
	default:
		return unfit("it does not begin with redis://, rediss:// or unix://", example)
	}
	for option := range u.Query() {
		if !slices.Contains(redisOptions, option) {
			hint := "the options are " + strings.Join(redisOptions, ", ")
			if near, ok := suggest.Nearest(option, redisOptions); ok {
				hint = "did you mean " + near + "? " + hint
			}
			return unfit("it has an option "+quote(option)+" that means nothing", hint)
		}
	}
	if _, err := rueidis.ParseURL(text); err != nil {
		return unfit("its database number or one of its options cannot be read",
			"a path can only be a database number, as in redis://host:6379/2; timeouts are written like 5s")
	}
	return nil
}

// redisOptions are the options of a Redis URL; the driver ignores all others
// without a word, and a mistyped master_set would connect to a Sentinel as if
// it were the server.
var redisOptions = []string{"addr", "db", "dial_timeout", "master_set", "skip_verify", "write_timeout"}

// HasPassword reports whether a Redis URL holds a password.
func HasPassword(url string) bool {
	_, had := hidePassword(url)
	return had
}

// hidePassword replaces the password of a URL, and reports whether there was one.
func hidePassword(text string) (shown string, had bool) {
	u, err := url.Parse(text)
	if err != nil {
		return "(hidden)", true
	}
	if _, had = u.User.Password(); !had {
		return text, false
	}
	u.User = url.UserPassword(u.User.Username(), "hidden")
	return u.String(), true
}
