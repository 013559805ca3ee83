package chaos

import (
	"fmt"
	"sync"
	"time"
)

// kind is what a client noted.
type kind uint8

const (
	noteOpened   kind = iota // a connection is asked for
	noteWelcomed             // and was welcomed
	noteSubscribed
	noteEvent
	notePassing // an event without history
	noteReset
	noteGoodbye
	noteEnded // a connection, or an attempt at one
)

// note is one line of a client's log.
type note struct {
	at      time.Time
	kind    kind
	conn    int // counts the client's connections
	channel string
	id      position
	number  int // of the event, as its publisher counted
	// recovered is of a subscribed frame: nil if the frame does not say.
	recovered *bool
	// identity is the connection's name; of opened, the one it goes on from.
	identity string
	text     string // a reason, an error, the relay
}

func (n note) String() string {
	s := fmt.Sprintf("%s connection %d: ", n.at.Format("15:04:05.000"), n.conn)
	switch n.kind {
	case noteOpened:
		return s + "opened to " + n.text
	case noteSubscribed:
		recovered := "not said"
		if n.recovered != nil {
			recovered = fmt.Sprint(*n.recovered)
		}
		return s + fmt.Sprintf("subscribed at %v, recovered %s", n.id, recovered)
	case noteEvent:
		return s + fmt.Sprintf("event %v, number %d", n.id, n.number)
	case noteReset:
		return s + fmt.Sprintf("reset %s to %v", n.text, n.id)
	case noteWelcomed:
		return s + "welcomed as " + n.identity
	case notePassing:
		return s + fmt.Sprintf("event without history, number %d", n.number)
	case noteGoodbye:
		return s + "goodbye " + n.text
	}
	return s + "ended: " + n.text
}

// log is what one client saw, in order.
type log struct {
	client   string
	channels []string
	// carries: the relay's cursor is all that this client goes on from. It has
	// moved past events that excluded the client's connection.
	carries bool

	mu    sync.Mutex
	notes []note
}

func (l *log) add(n note) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, n)
}
