package native

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"relay/event"
)

// Command is a frame from a client.
type Command struct {
	Type    CommandType
	Channel string
	// Since is a cursor to go on from; empty means from now on.
	Since string
	// Ref is a JSON number or string to be given back, as it came.
	Ref string
	// Token is a client token.
	Token string
}

// CommandType is what a client asks for.
type CommandType string

// What a client may ask for.
const (
	CommandSubscribe   CommandType = "subscribe"
	CommandUnsubscribe CommandType = "unsubscribe"
	CommandToken       CommandType = "token"
	CommandPing        CommandType = "ping"
)

// maxRefBytes bounds a client's mark.
const maxRefBytes = 64

// FrameError says why a client's frame was not understood.
type FrameError struct {
	Message string
	// Ref is the frame's mark, if that much could be read.
	Ref string
}

func (e *FrameError) Error() string { return e.Message }

// ParseCommand reads a client's frame. Fields it does not know are ignored,
// so that newer clients can talk to older relays; names are exact, and one
// that comes twice is an error. The error is a *FrameError.
func ParseCommand(text []byte) (Command, error) {
	if !utf8.Valid(text) {
		return Command{}, &FrameError{Message: "a frame must be valid UTF-8"}
	}
	var f struct {
		Type    *string        `json:"type"`
		Channel *string        `json:"channel"`
		Since   *string        `json:"since"`
		Ref     jsontext.Value `json:"ref"`
		Token   *string        `json:"token"`
	}
	if err := json.Unmarshal(text, &f); err != nil || !isObject(text) {
		return Command{}, &FrameError{Message: `a frame is one JSON object, like {"type":"subscribe","channel":"demo"}: ` + explain(err)}
	}
	ref, ok := checkRef(f.Ref)
	if !ok {
		return Command{}, &FrameError{Message: fmt.Sprintf(`"ref" is a number or a string of at most %d bytes`, maxRefBytes)}
	}
	c := Command{Ref: ref}
	wrong := func(format string, args ...any) (Command, error) {
		return Command{}, &FrameError{Message: fmt.Sprintf(format, args...), Ref: ref}
	}
	if f.Type == nil {
		return wrong(`a frame needs a "type": subscribe, unsubscribe, token or ping`)
	}
	c.Type = CommandType(*f.Type)
	switch c.Type {
	case CommandSubscribe, CommandUnsubscribe:
		if f.Channel == nil {
			return wrong(`a %s frame needs a "channel"`, c.Type)
		}
		c.Channel = *f.Channel
		if f.Since != nil {
			c.Since = *f.Since
		}
		if len(c.Since) > event.MaxCursorBytes {
			return wrong(`"since" has at most %d bytes`, event.MaxCursorBytes)
		}
	case CommandToken:
		if f.Token == nil {
			return wrong(`a token frame needs a "token"`)
		}
		c.Token = *f.Token
	case CommandPing:
	default:
		return wrong("a frame of type %s is not known; use subscribe, unsubscribe, token or ping", strconv.QuoteToASCII(event.Clip(*f.Type, 40)))
	}
	return c, nil
}

// isObject tells an object from null, which unmarshals into a struct as well.
func isObject(text []byte) bool {
	return jsontext.Value(text).Kind() == '{'
}

func explain(err error) string {
	if err == nil {
		return "this is another JSON value"
	}
	return err.Error()
}

// checkRef returns a mark as it is to be given back, or says that it may not be one.
func checkRef(raw jsontext.Value) (string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	if len(raw) > maxRefBytes {
		return "", false
	}
	if c := raw[0]; c != '"' && c != '-' && (c < '0' || c > '9') {
		return "", false
	}
	return string(raw), true
}
