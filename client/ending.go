package client

import (
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"relay/event"
)

// Refusal is the error of a relay that does not want to see this client again
// as it is.
type Refusal struct {
	// Status is the HTTP status of a refused handshake, else 0.
	Status int
	// CloseCode is the WebSocket close code that ended a connection, else 0.
	CloseCode int
	// Code is the relay's error code, if it gave one.
	Code event.Code
	// Message is the relay's own sentence.
	Message string
}

func (r *Refusal) Error() string {
	what := fmt.Sprintf("the relay closed the connection (%d)", r.CloseCode)
	if r.Status != 0 {
		what = fmt.Sprintf("the relay refused the connection (HTTP %d)", r.Status)
	}
	if r.Message == "" {
		return what
	}
	return what + ": " + r.Message
}

// verdict says what follows the end of a connection.
type verdict int8

const (
	// comeBack: at once, or when told, or after the backoff.
	comeBack verdict = iota
	// comeBackLater: the relay has trouble or too many clients.
	comeBackLater
	// freshToken: with another token only.
	freshToken
	// stayAway: the same would happen again.
	stayAway
)

// Close codes of the native wire that have rules of their own.
const (
	CloseBadFrame    = 4400
	CloseToken       = 4401
	CloseForbidden   = 4403
	CloseTooMany     = 4429
	CloseUnavailable = 4503
)

// closeVerdict is the rule for a WebSocket close code. A code nobody knows, or
// none (the connection broke), is a reason to try again.
func closeVerdict(code websocket.StatusCode) verdict {
	switch code {
	case websocket.StatusNormalClosure, websocket.StatusMessageTooBig, CloseBadFrame, CloseForbidden:
		return stayAway
	case CloseToken:
		return freshToken
	case CloseTooMany, CloseUnavailable:
		return comeBackLater
	}
	return comeBack
}

// statusVerdict is the rule for a handshake that was answered with a status.
func statusVerdict(status int) verdict {
	switch {
	case status == http.StatusSwitchingProtocols:
		return comeBack // the upgrade itself went wrong on the way
	case status == http.StatusUnauthorized:
		return freshToken
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return comeBackLater
	}
	return stayAway
}

// ending is how one connection ended.
type ending struct {
	verdict verdict
	err     error
	// told is when the relay wants the client back; 0: it did not say.
	told time.Duration
	// calm: the connection lived long enough to forget earlier failures.
	calm bool
}

// refused makes the ending of a connection that did not come to be.
func refused(err error, answer *http.Response) ending {
	if answer == nil {
		return ending{err: unreachable(err)}
	}
	v := statusVerdict(answer.StatusCode)
	if v == comeBack {
		return ending{err: err}
	}
	p := readProblem(answer)
	return ending{
		verdict: v,
		err:     &Refusal{Status: p.Status, Code: p.Code, Message: p.Detail},
		told:    p.RetryAfter,
	}
}
