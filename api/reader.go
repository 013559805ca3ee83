package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"relay/event"
	"relay/problem"
)

// maxListed bounds how many problems one answer lists. A request of 8 MiB has
// room for millions.
const maxListed = 100

// reader walks once through the JSON of a body. It is strict: names are
// case-sensitive and stand once in an object, text is valid UTF-8, and nothing
// follows the value.
//
// A value of the wrong type is noted and skipped, so that the caller learns of
// everything that is wrong at once. A syntax error ends the walk: from then on
// nothing more is read or noted, and syntaxProblem returns it.
type reader struct {
	src  []byte
	left bytes.Buffer // of src, for dec
	dec  *jsontext.Decoder

	name []byte // of the member at hand; reused

	syntax   error
	syntaxAt int64 // bytes into src

	item     int // to which problems are ascribed
	problems []problem.Item
	unlisted int // problems beyond maxListed
}

var errTrailing = errors.New("something follows the JSON value; several events go into one array")

func newReader(src []byte) *reader {
	r := new(reader)
	r.dec = jsontext.NewDecoder(&r.left)
	r.reset(src)
	return r
}

// reset begins anew with another body. The problems found before belong to
// whoever was told them.
func (r *reader) reset(src []byte) {
	*r = reader{src: src, left: *bytes.NewBuffer(src), dec: r.dec, name: r.name}
	r.dec.Reset(&r.left)
}

// kind returns what comes next, or jsontext.KindInvalid after or at a syntax error.
func (r *reader) kind() jsontext.Kind {
	if r.syntax != nil {
		return jsontext.KindInvalid
	}
	return r.dec.PeekKind()
}

// open enters an object or a list. If something else comes, it is noted and
// skipped, and open returns false.
func (r *reader) open(begin jsontext.Kind, want string) bool {
	if r.kind() != begin {
		r.mismatch(want)
		return false
	}
	r.token()
	return r.syntax == nil
}

// more reports whether the object or list that was entered goes on. At its end
// it leaves it.
func (r *reader) more(end jsontext.Kind) bool {
	if r.kind() != end {
		return r.syntax == nil
	}
	r.token()
	return false
}

// member reads the name of an object's next member. It is valid until the next call.
func (r *reader) member() []byte {
	quoted := r.value()
	if r.syntax != nil {
		return nil
	}
	r.name, _ = jsontext.AppendUnquote(r.name[:0], quoted) // read as a name, so it is a proper string
	return r.name
}

// text reads a string.
func (r *reader) text() (string, bool) {
	if r.kind() != jsontext.KindString {
		r.mismatch("a string")
		return "", false
	}
	s := r.token().String()
	return s, r.syntax == nil
}

// boolean reads true or false.
func (r *reader) boolean() (value, ok bool) {
	kind := r.kind()
	if kind != jsontext.KindTrue && kind != jsontext.KindFalse {
		r.mismatch("true or false")
		return false, false
	}
	r.token()
	return kind == jsontext.KindTrue, r.syntax == nil
}

// value reads anything. It is valid until the next read.
func (r *reader) value() jsontext.Value {
	if r.syntax != nil {
		return nil
	}
	v, err := r.dec.ReadValue()
	r.stop(err)
	return v
}

func (r *reader) token() jsontext.Token {
	t, err := r.dec.ReadToken()
	r.stop(err)
	if err != nil {
		return jsontext.Null
	}
	return t
}

// unknown notes and skips a member that has no meaning. fields lists those that have.
func (r *reader) unknown(name []byte, fields string) {
	r.value()
	if r.syntax != nil {
		return
	}
	at := r.dec.StackPointer()
	if len(name) > event.MaxNameBytes {
		at = at.Parent() // or the answer would be as long as the request
	}
	r.noteAt(at, event.CodeUnknownField, fmt.Sprintf("There is no field %q. The fields are %s.", clip(string(name)), fields))
}

// mismatch notes and skips a value of the wrong type.
func (r *reader) mismatch(want string) {
	kind := r.kind()
	r.value()
	detail := fmt.Sprintf("This must be %s, not %s.", want, kindNames[kind])
	if kind == jsontext.KindNull {
		detail += " Leave the field out if it has no value."
	}
	r.note(event.CodeWrongType, detail)
}

var kindNames = map[jsontext.Kind]string{
	jsontext.KindNull:        "null",
	jsontext.KindFalse:       "false",
	jsontext.KindTrue:        "true",
	jsontext.KindString:      "a string",
	jsontext.KindNumber:      "a number",
	jsontext.KindBeginObject: "an object",
	jsontext.KindBeginArray:  "a list",
}

// note says what is wrong with the value read last.
func (r *reader) note(code event.Code, detail string) {
	if r.syntax == nil {
		r.noteAt(r.dec.StackPointer(), code, detail)
	}
}

func (r *reader) noteAt(at jsontext.Pointer, code event.Code, detail string) {
	if len(r.problems) == maxListed {
		r.unlisted++
		return
	}
	r.problems = append(r.problems, problem.Item{Index: r.item, Pointer: string(at), Code: code, Detail: detail})
}

// end checks that nothing follows the value.
func (r *reader) end() {
	if r.syntax != nil {
		return
	}
	at := r.dec.InputOffset()
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		r.syntax, r.syntaxAt = errTrailing, at
	}
}

func (r *reader) stop(err error) {
	if err == nil || r.syntax != nil {
		return
	}
	r.syntax, r.syntaxAt = err, int64(len(r.src))
	if at, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		r.syntaxAt = at.ByteOffset
	}
}

// syntaxProblem returns the problem that the body is not JSON, or nil.
func (r *reader) syntaxProblem() *problem.Problem {
	if r.syntax == nil {
		return nil
	}
	var what string
	at, _ := errors.AsType[*jsontext.SyntacticError](r.syntax)
	switch {
	case len(bytes.TrimSpace(r.src)) == 0:
		return invalidJSON("The body is empty; it must be JSON.")
	case errors.Is(r.syntax, jsontext.ErrDuplicateName):
		what = fmt.Sprintf("the name %q stands twice in one object", clip(at.JSONPointer.LastToken()))
	case errors.Is(r.syntax, io.ErrUnexpectedEOF):
		what = "it ends in the middle of a value"
	case at != nil:
		what = at.Err.Error()
	default:
		what = r.syntax.Error()
	}
	before := r.src[:r.syntaxAt]
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return invalidJSON(fmt.Sprintf("The body is not the JSON it must be: %s (line %d, byte %d of it).", what, line, column))
}

func invalidJSON(detail string) *problem.Problem {
	return problem.New(http.StatusBadRequest, event.CodeInvalidJSON, detail)
}
