package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"relay/event"
)

// Problem is an HTTP error of a relay (RFC 9457).
type Problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Code   event.Code    `json:"code"`
	Detail string        `json:"detail"`
	Errors []ItemProblem `json:"errors"`
	// Results is what was published before the request failed in the middle.
	Results []Result `json:"results"`
	// RetryAfter is how long the relay asks to wait; 0: it did not say.
	RetryAfter time.Duration `json:"-"`
}

// ItemProblem is what is wrong with one event of a publish request.
type ItemProblem struct {
	// Index counts the events from 0; Pointer leads to the wrong value (RFC 6901).
	Index   int        `json:"index"`
	Pointer string     `json:"pointer"`
	Code    event.Code `json:"code"`
	Detail  string     `json:"detail"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the relay answered %d %s", p.Status, p.Title)
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, item := range p.Errors {
		fmt.Fprintf(&b, "; event %d", item.Index)
		if item.Pointer != "" {
			fmt.Fprintf(&b, " (%s)", item.Pointer)
		}
		b.WriteString(": " + item.Detail)
	}
	return b.String()
}

// maxProblemBytes bounds what is read of an error: a relay's is shorter, and
// what else may answer at that address is not worth more.
const maxProblemBytes = 1 << 20

// readProblem makes a Problem of an answer that is no success, whoever gave it.
func readProblem(answer *http.Response) *Problem {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxProblemBytes))
	p := new(Problem)
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(body, p) != nil {
		p = &Problem{Detail: "no relay seems to listen there"}
	}
	p.Status = answer.StatusCode
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if seconds, err := strconv.ParseInt(answer.Header.Get("Retry-After"), 10, 32); err == nil {
		p.RetryAfter = millis(seconds*1000, mostTold)
	}
	return p
}
