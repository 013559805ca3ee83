package handshake

import (
	"net/http"
	"slices"

	"relay/event"
	"relay/problem"
)

// Enter is the handshake of a door whose clients name all their channels in
// the query and show their token at once: it reads the query, finds out who
// the client is, and refuses it if it may have none of the channels. (One
// forbidden channel among several is not refused here: the hub says so.)
func (p *Policy) Enter(r *http.Request, maxChannels int) (Access, Query, *problem.Problem) {
	if r.Method != http.MethodGet {
		return Access{}, Query{}, problem.New(http.StatusMethodNotAllowed, event.CodeMethodNotAllowed, "This is asked for with GET.")
	}
	query, wrong := ParseQuery(r, maxChannels)
	if wrong != nil {
		return Access{}, query, wrong
	}
	if len(query.Channels) == 0 {
		return Access{}, query, problem.New(http.StatusBadRequest, event.CodeInvalidRequest,
			"Name at least one channel in the query: "+r.URL.Path+"?channel=demo.")
	}
	access, denied := p.Authenticate(r)
	switch {
	case denied != nil:
		return access, query, denied
	case slices.ContainsFunc(query.Channels, access.Grant.Allows):
		return access, query, nil
	case p.TakesTokens() && !access.Presented:
		return access, query, MissingToken()
	}
	return access, query, problem.New(http.StatusForbidden, event.CodeForbidden, "None of the channels asked for is allowed.")
}
