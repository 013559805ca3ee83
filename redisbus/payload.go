package redisbus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"relay/bus"
	"relay/event"
)

// What stands in Redis for one event.
//
//	stream entry, field e:  <tag> <prevtag> <json>
//	pub/sub message:        <position> <prevtag> <json>
//	without history:        <json>
//
// The last form is also what any Redis client may PUBLISH by hand.

// appendBody writes the JSON part of an event. Its data is JSON already. posted
// is when the app handed it over, in microseconds by the node's clock; 0 if
// that is not known.
func appendBody(b []byte, p *bus.Publication, posted int64) ([]byte, error) {
	b = append(b, `{"event":`...)
	b, err := jsontext.AppendQuote(b, p.Name)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"data":`...)
	b = append(b, p.Data...)
	for i, id := range p.Exclude {
		if i == 0 {
			b = append(b, `,"exclude":[`...)
		} else {
			b = append(b, ',')
		}
		if b, err = jsontext.AppendQuote(b, id); err != nil {
			return nil, err
		}
	}
	if len(p.Exclude) > 0 {
		b = append(b, ']')
	}
	if posted > 0 {
		b = append(b, `,"at":`...)
		b = strconv.AppendInt(b, posted, 10)
	}
	return append(b, '}'), nil
}

// bodyReader reads the JSON part of one event after another. Decoders are used
// again, since each event heard needs one for a microsecond.
type bodyReader struct {
	src  []byte
	left bytes.Buffer // of src, for dec
	dec  *jsontext.Decoder
	name []byte // of the member at hand
}

var bodyReaders = sync.Pool{New: func() any {
	r := new(bodyReader)
	r.dec = jsontext.NewDecoder(&r.left)
	return r
}}

// decodeBody reads the JSON part. maxData bounds the data in bytes: a message
// may come from any Redis client. When it was posted is told by the clock of
// the node that it comes from.
func decodeBody(channel, text string, maxData int, node *clock) (*event.Event, error) {
	r := bodyReaders.Get().(*bodyReader)
	if len(text) <= largestKept {
		defer bodyReaders.Put(r)
	}
	r.src = []byte(text)
	r.left = *bytes.NewBuffer(r.src)
	r.dec.Reset(&r.left)
	e := &event.Event{Channel: channel}
	if err := r.read(e, node); err != nil {
		return nil, fmt.Errorf("not an event's JSON: %w", err)
	}
	if err := event.CheckName(e.Name); err != nil {
		return nil, err
	}
	if e.Data == nil {
		return nil, errors.New(`an event needs "data"; null will do`)
	}
	// It shrinks in its place.
	e.Data = event.AppendCompact(e.Data[:0], e.Data)
	if len(e.Data) > maxData {
		return nil, fmt.Errorf("the data has %d bytes; the limit is %d (RELAY_MAX_EVENT_BYTES)", len(e.Data), maxData)
	}
	if len(e.Exclude) > event.MaxExclude {
		return nil, fmt.Errorf("more than %d connections are excluded", event.MaxExclude)
	}
	return e, nil
}

// largestKept is the text beyond which a decoder may have grown too large to
// be used again.
const largestKept = 64 << 10

// read reads one object, and nothing after it. The event's data is part of src.
func (r *bodyReader) read(e *event.Event, node *clock) error {
	if err := r.begin(jsontext.KindBeginObject); err != nil {
		return err
	}
	for r.dec.PeekKind() != jsontext.KindEndObject {
		name, err := r.dec.ReadValue()
		if err != nil {
			return err
		}
		if r.name, err = jsontext.AppendUnquote(r.name[:0], name); err != nil {
			return err
		}
		switch string(r.name) {
		case "event":
			e.Name, err = r.string()
		case "data":
			e.Data, err = r.value()
		case "exclude":
			e.Exclude, err = r.strings()
		case "at":
			e.Posted, err = r.moment(node)
		default:
			// A newer relay may have written it.
			err = r.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}

func (r *bodyReader) begin(kind jsontext.Kind) error {
	token, err := r.dec.ReadToken()
	if err == nil && token.Kind() != kind {
		err = errKind
	}
	return err
}

// value reads anything, and returns where it stands in src: what the decoder
// returns is valid until its next read only.
func (r *bodyReader) value() ([]byte, error) {
	v, err := r.dec.ReadValue()
	end := int(r.dec.InputOffset())
	return r.src[end-len(v) : end : end], err
}

func (r *bodyReader) string() (string, error) {
	token, err := r.dec.ReadToken()
	if err != nil {
		return "", err
	}
	if token.Kind() != jsontext.KindString {
		return "", errKind
	}
	return token.String(), nil
}

func (r *bodyReader) strings() (list []string, err error) {
	if r.dec.PeekKind() == jsontext.KindNull {
		return nil, r.dec.SkipValue()
	}
	if err := r.begin(jsontext.KindBeginArray); err != nil {
		return nil, err
	}
	for r.dec.PeekKind() != jsontext.KindEndArray {
		s, err := r.string()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	_, err = r.dec.ReadToken()
	return list, err
}

// moment reads a number of microseconds. Something else is none of ours, and
// no reason to lose the event.
func (r *bodyReader) moment(node *clock) (time.Time, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return time.Time{}, err
	}
	var at time.Time
	if micros, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		at = node.toHere(micros)
	}
	return at, nil
}

var errKind = errors.New("a value of the wrong type")

var errPayload = errors.New("neither <position> <prevtag> <json> nor bare JSON")

// decodeMessage reads a pub/sub message.
func decodeMessage(channel, text string, maxData int, node *clock) (bus.Delivery, error) {
	if strings.HasPrefix(text, "{") {
		e, err := decodeBody(channel, text, maxData, node)
		return bus.Delivery{Event: e}, err
	}
	position, rest, ok1 := strings.Cut(text, " ")
	previous, json, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 {
		return bus.Delivery{}, errPayload
	}
	id, err := event.ParsePosition(position)
	if err != nil {
		return bus.Delivery{}, err
	}
	return decodeKept(channel, id, previous, json, node)
}

// decodeEntry reads a stream entry: its ID and its field e.
func decodeEntry(channel, entryID, text string, node *clock) (bus.Delivery, error) {
	ms, offset, ok := strings.Cut(entryID, "-")
	if !ok {
		return bus.Delivery{}, errPayload
	}
	id, err := event.ParseEntryID(ms, offset)
	if err != nil {
		return bus.Delivery{}, err
	}
	tag, rest, ok1 := strings.Cut(text, " ")
	previous, json, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 {
		return bus.Delivery{}, errPayload
	}
	if id.Tag, err = event.ParseTag(tag); err != nil {
		return bus.Delivery{}, err
	}
	return decodeKept(channel, id, previous, json, node)
}

// decodeKept reads an event that has a position. It was checked when it was
// published; a limit that has been lowered since must not make a hole.
func decodeKept(channel string, id event.Position, previous, json string, node *clock) (bus.Delivery, error) {
	tag, err := event.ParseTag(previous)
	if err != nil {
		return bus.Delivery{}, err
	}
	e, err := decodeBody(channel, json, maxKeptData, node)
	if err != nil {
		return bus.Delivery{}, err
	}
	e.ID = id
	return bus.Delivery{Event: e, Previous: tag}, nil
}

const maxKeptData = 1 << 30
