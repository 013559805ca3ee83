package handshake

import (
	"net/http"
	"net/url"
	"strings"
)

const redacted = "REDACTED"

// RedactedURL returns a request's path and query as they may be logged: with
// every client token and ticket replaced. It works on the text as it came, because what
// does not parse is logged too.
func RedactedURL(r *http.Request) string {
	// A URL builder that is given the query with the path turns its question
	// mark into %3F, and the token ends up in the path.
	path := r.URL.EscapedPath()
	for _, name := range []string{tokenParam, ticketParam} {
		before, _, found := strings.Cut(path, name+"=")
		if found {
			path = before + name + "=" + redacted
		}
	}
	if r.URL.RawQuery == "" {
		return path
	}
	var b strings.Builder
	b.WriteString(path)
	separator, rest := byte('?'), r.URL.RawQuery
	for {
		// A semicolon separates nothing any more, but did, and some still write it.
		end := strings.IndexAny(rest, "&;")
		b.WriteByte(separator)
		if end < 0 {
			b.WriteString(redactPair(rest))
			return b.String()
		}
		b.WriteString(redactPair(rest[:end]))
		separator, rest = rest[end], rest[end+1:]
	}
}

func redactPair(pair string) string {
	name, value, _ := strings.Cut(pair, "=")
	switch {
	case looksLikeToken(name):
		return redacted
	case value != "" && (namesToken(name) || looksLikeToken(value)):
		return name + "=" + redacted
	}
	return pair
}

func namesToken(name string) bool {
	decoded, err := url.QueryUnescape(name)
	return err != nil || strings.EqualFold(decoded, tokenParam) || strings.EqualFold(decoded, ticketParam)
}

// looksLikeToken finds a token under a mistaken name: a JWT begins with {" in
// base64.
func looksLikeToken(text string) bool { return strings.HasPrefix(text, "eyJ") }
