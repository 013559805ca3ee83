package api

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"relay/event"
	"relay/problem"
)

// readOrder reads a body that is one small object. read is called for each
// member, with its name, and reports whether it knows it.
func (a *API) readOrder(req *http.Request, fields string, read func(r *reader, name string) bool) *problem.Problem {
	body, p := a.body(req)
	if p != nil {
		return p
	}
	r := newReader(body)
	if r.open(jsontext.KindBeginObject, "an object") {
		for r.more(jsontext.KindEndObject) {
			if name := r.member(); r.syntax == nil && !read(r, string(name)) {
				r.unknown(name, fields)
			}
		}
	}
	r.end()
	if p := r.syntaxProblem(); p != nil {
		return p
	}
	return r.orderProblem()
}

// orderProblem refuses a request for the first thing that is wrong with it.
func (r *reader) orderProblem() *problem.Problem {
	if len(r.problems) == 0 {
		return nil
	}
	detail := r.problems[0].Detail
	if at := r.problems[0].Pointer; at != "" {
		detail = "At " + at + ": " + detail
	}
	if all := len(r.problems) + r.unlisted; all > 1 {
		detail += fmt.Sprintf(" Problems found in all: %d.", all)
	}
	return invalidRequest(detail)
}

// noteInvalid says that the value read last breaks a rule of its field.
func (r *reader) noteInvalid(err error) {
	if err != nil {
		r.note(event.CodeInvalidRequest, sentence(err))
	}
}
