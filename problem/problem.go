// Package problem writes HTTP errors as RFC 9457 problem details. The api and
// the doors' handshakes use it, so that every error of every listener has one shape.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"relay/event"
)

// ContentType is the media type of a problem (RFC 9457, section 6.1).
const ContentType = "application/problem+json"

// Problem is an error as the client of an HTTP API sees it, and a Go error.
type Problem struct {
	// Type is a URI that names the kind of problem. It is derived from Code,
	// is the same in every release, and leads nowhere.
	Type string `json:"type"`
	// Title is the kind of problem in a few words, the same each time.
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Code is the last part of Type, for programs.
	Code event.Code `json:"code"`
	// Detail says what was wrong this time and what to do about it.
	Detail string `json:"detail,omitempty"`
	// Errors lists the problems of single items of a publish request.
	Errors []Item `json:"errors,omitempty"`
	// Results tells what was published before the request failed in the middle.
	Results any `json:"results,omitempty"`
	// RetryAfter is sent as the header of that name, in whole seconds; zero: not sent.
	RetryAfter time.Duration `json:"-"`
}

// Item is the problem of one item of a publish request.
type Item struct {
	// Index is the item's place in the array, from 0; 0 for a single event.
	Index int `json:"index"`
	// Pointer leads to the wrong value in the request's body (RFC 6901).
	Pointer string     `json:"pointer"`
	Code    event.Code `json:"code"`
	Detail  string     `json:"detail"`
}

// New makes a problem. The title is the status' own text.
func New(status int, code event.Code, detail string) *Problem {
	return &Problem{
		Type:   "urn:relay:problem:" + string(code),
		Title:  http.StatusText(status),
		Status: status,
		Code:   code,
		Detail: detail,
	}
}

func (p *Problem) Error() string {
	return strconv.Itoa(p.Status) + " " + string(p.Code) + ": " + p.Detail
}

// Write answers the request with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.Status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		// RFC 9110, 11.6.1: a 401 names the scheme it wants.
		h.Set("WWW-Authenticate", `Bearer realm="relay"`)
	}
	if p.Code == event.CodeDraining {
		// The next request over this connection would come to the same relay.
		h.Set("Connection", "close")
	}
	if p.RetryAfter > 0 {
		seconds := (p.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	w.WriteHeader(p.Status)
	// The client may have gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(p)
}
