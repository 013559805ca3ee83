package hub

import (
	"relay/event"
)

// Since says where a subscription wants to go on. The zero value is now.
type Since struct {
	kind sinceKind
	at   event.Position
}

type sinceKind uint8

const (
	sinceNow sinceKind = iota
	sinceStart
	sincePosition
	sinceBroken // a cursor that cannot be read
)

// IsNow reports whether nothing of the past is asked for.
func (s Since) IsNow() bool { return s.kind == sinceNow }

// startText asks for all that history holds.
const startText = "start"

// ParseSince reads what a client gave for the channels it asks for: nothing,
// one cursor over all of them, or one text for each in their order. The
// answer has one Since for each channel. What cannot be read is no error: the
// client is told that it has to refetch, since what it missed cannot be known.
func ParseSince(texts, channels []string) []Since {
	list := make([]Since, len(channels))
	switch {
	case len(texts) == 0:
	case len(texts) == len(channels):
		for i, text := range texts {
			list[i] = parseSince(text, channels[i], true)
		}
	default:
		for i, channel := range channels {
			list[i] = parseSince(texts[0], channel, false)
		}
	}
	return list
}

// parseSince reads a cursor for one channel. A bare position is a cursor only
// where there is no other channel it could be about.
func parseSince(text, channel string, alone bool) Since {
	switch text {
	case "":
		return Since{}
	case startText:
		return Since{kind: sinceStart}
	}
	cursor, err := event.ParseCursor(text)
	if err != nil {
		return Since{kind: sinceBroken}
	}
	if at, ok := cursor.Single(); ok {
		if !alone {
			return Since{kind: sinceBroken}
		}
		return Since{kind: sincePosition, at: at}
	}
	if at, ok := cursor.Find(event.HashChannel(channel)); ok {
		return Since{kind: sincePosition, at: at}
	}
	return Since{} // a channel that the cursor lacks starts fresh
}
