package redisbus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
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

// body is the JSON part.
type body struct {
	Event   string         `json:"event"`
	Data    jsontext.Value `json:"data"`
	Exclude []string       `json:"exclude,omitempty"`
}

// appendBody writes the JSON part of an event. Its data is JSON already.
func appendBody(b []byte, p *bus.Publication) ([]byte, error) {
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
	return append(b, '}'), nil
}

// decodeBody reads the JSON part. maxData bounds the data in bytes: a message
// may come from any Redis client.
func decodeBody(channel, text string, maxData int) (*event.Event, error) {
	var b body
	// Fields it does not know are ignored: a newer relay may have written them.
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return nil, fmt.Errorf("not an event's JSON: %w", err)
	}
	if err := event.CheckName(b.Event); err != nil {
		return nil, err
	}
	if b.Data == nil {
		return nil, errors.New(`an event needs "data"; null will do`)
	}
	if err := b.Data.Compact(); err != nil {
		return nil, err
	}
	if len(b.Data) > maxData {
		return nil, fmt.Errorf("the data has %d bytes; the limit is %d (RELAY_MAX_EVENT_BYTES)", len(b.Data), maxData)
	}
	if len(b.Exclude) > event.MaxExclude {
		return nil, fmt.Errorf("more than %d connections are excluded", event.MaxExclude)
	}
	return &event.Event{Channel: channel, Name: b.Event, Data: b.Data, Exclude: b.Exclude}, nil
}

var errPayload = errors.New("neither <position> <prevtag> <json> nor bare JSON")

// decodeMessage reads a pub/sub message.
func decodeMessage(channel, text string, maxData int) (bus.Delivery, error) {
	if strings.HasPrefix(text, "{") {
		e, err := decodeBody(channel, text, maxData)
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
	return decodeKept(channel, id, previous, json)
}

// decodeEntry reads a stream entry: its ID and its field e.
func decodeEntry(channel, entryID, text string) (bus.Delivery, error) {
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
	return decodeKept(channel, id, previous, json)
}

// decodeKept reads an event that has a position. It was checked when it was
// published; a limit that has been lowered since must not make a hole.
func decodeKept(channel string, id event.Position, previous, json string) (bus.Delivery, error) {
	tag, err := event.ParseTag(previous)
	if err != nil {
		return bus.Delivery{}, err
	}
	e, err := decodeBody(channel, json, maxKeptData)
	if err != nil {
		return bus.Delivery{}, err
	}
	e.ID = id
	return bus.Delivery{Event: e, Previous: tag}, nil
}

const maxKeptData = 1 << 30
