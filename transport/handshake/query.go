package handshake

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"relay/event"
	"relay/problem"
)

// Query is what a client asks for in its address.
type Query struct {
	// Channels are the names of its channel parameters, each once, in their
	// order. They are well formed; whether the client may have them is the
	// grant's matter.
	Channels []string
	// Since are its since parameters as they came: none, one cursor over all
	// channels, or one text per channel in the order of Channels.
	Since []string
	// Resumes names the client's earlier connection; empty if it does not say.
	Resumes string
}

// ParseQuery reads the parameters channel (repeated), since (repeated) and
// resumes. A query that is not well formed, a name that no channel can have
// and more than maxChannels of them are problems with status 400. Parameters
// that it does not know are not its business.
func ParseQuery(r *http.Request, maxChannels int) (Query, *problem.Problem) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Query{}, badRequest("The query of the address cannot be read: %v. Percent-encode what is not a letter or a digit (encodeURIComponent in a browser).", err)
	}
	channels, since := values["channel"], values["since"]
	if len(since) > 1 && len(since) != len(channels) {
		return Query{}, badRequest("The query has %d since parameters and %d channel parameters. Send one since with a cursor, or one for each channel in their order.",
			len(since), len(channels))
	}
	q := Query{Since: since, Resumes: values.Get("resumes")}
	if q.Channels, q.Since = once(channels, since); len(q.Channels) > maxChannels {
		return Query{}, problem.New(http.StatusBadRequest, event.CodeTooManyChannels, fmt.Sprintf(
			"The query names %d channels; at most %d are possible here.", len(q.Channels), maxChannels))
	}
	for i, name := range q.Channels {
		if err := event.CheckChannel(name); err != nil {
			return Query{}, problem.New(http.StatusBadRequest, event.CodeInvalidChannel, fmt.Sprintf(
				"Channel %d of the query, %q, cannot be one: %v.", i+1, clip(name), err))
		}
	}
	if !isConnectionID(q.Resumes) {
		return Query{}, badRequest("The parameter resumes holds the ID of an earlier connection, as its welcome gave it: at most %d printable ASCII characters.", event.MaxConnectionIDBytes)
	}
	return q, nil
}

// once drops repeated channels, and with them the since parameters that stand
// for them: the rest would move to the wrong channels.
func once(channels, since []string) (distinct, kept []string) {
	paired := len(since) > 1
	if !paired {
		kept = since
	}
	seen := make(map[string]struct{}, len(channels))
	for i, name := range channels {
		if _, repeated := seen[name]; repeated {
			continue
		}
		seen[name] = struct{}{}
		distinct = append(distinct, name)
		if paired {
			kept = append(kept, since[i])
		}
	}
	return distinct, kept
}

func isConnectionID(s string) bool {
	return len(s) <= event.MaxConnectionIDBytes &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func badRequest(format string, args ...any) *problem.Problem {
	return problem.New(http.StatusBadRequest, event.CodeInvalidRequest, fmt.Sprintf(format, args...))
}
