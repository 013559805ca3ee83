package hub

import (
	"time"

	"relay/event"
)

// subscription joins a connection to a channel.
type subscription struct {
	// Fixed.
	conn    *Conn
	channel string
	hash    event.ChannelHash
	ref     string
	since   Since
	named   bool // in the address

	// Owned by the channel's worker. in is the list that holds it, at place;
	// nil once it has left, or was given up with its topic.
	in       *subscriptions
	place    int
	deadline time.Time // until which it must have been told something
	// While it replays: where it stands, whether the client has been told so,
	// whether its client has no room, and the number of the read it is part of.
	at      event.Position
	told    bool
	stalled bool
	read    int
	short   int // how many events it took of the last page, plus one; 0: all

	// Guarded by conn.mu.
	state subscriptionState
	// position is where the client stands: it was told all up to there that was
	// meant for it. heard is the last that it was told. They differ behind
	// events that exclude it. If the store loses such an event, position is in no
	// history any more, and the client has lost nothing: it goes on from heard.
	position, heard event.Position
}

// stand puts the client at a position that it is told of; conn.mu is held.
func (s *subscription) stand(at event.Position) { s.position, s.heard = at, at }

type subscriptionState uint8

const (
	subJoining subscriptionState = iota
	subReplaying
	subLive
	subEnded
)

// What a worker says to a connection about one of its subscriptions. Each
// takes the connection's lock for the time of the call.

// begin makes a subscription live: the client is told that it stands, and that
// events after at follow. recovered is told too unless it is nil; a cause says
// that the client has to refetch. begin reports whether the subscription is
// still wanted.
func (c *Conn) begin(s *subscription, at event.Position, recovered *bool, cause event.ResetCause) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subJoining {
		return false
	}
	s.state = subLive
	s.stand(at)
	c.say(&Frame{Type: FrameSubscribed, Channel: s.channel, ID: at, Recovered: recovered, Ref: s.ref})
	switch {
	case cause != "":
		c.hub.options.Metrics.Resumed(event.Outcome(cause))
		c.sayReset(&Frame{Type: FrameReset, Channel: s.channel, ID: at, Reason: string(cause)})
	case recovered != nil:
		c.hub.options.Metrics.Resumed(event.ResumeRecovered)
	default:
		c.hub.options.Metrics.Resumed(event.ResumeFresh)
	}
	c.say(&Frame{Type: FrameLive, Channel: s.channel})
	return s.state == subLive
}

// replays tells the client that the subscription stands and that the events
// after at follow, beginning with past ones. It reports whether the
// subscription is still wanted.
func (c *Conn) replays(s *subscription, at event.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subJoining {
		return false
	}
	s.state = subReplaying
	s.stand(at)
	f, outcome := &Frame{Type: FrameSubscribed, Channel: s.channel, ID: at, Ref: s.ref}, event.ResumeStart
	if s.since.kind == sincePosition {
		recovered := true
		f.Recovered, outcome = &recovered, event.ResumeRecovered
	}
	c.hub.options.Metrics.Resumed(outcome)
	c.say(f)
	return s.state == subReplaying
}

// past is what became of a past event.
type past uint8

const (
	toldPast past = iota // or not meant for this client
	noRoom
	hasEnded
)

// tellPast hands over a past event, if the client has room for it beside what
// is live.
func (c *Conn) tellPast(s *subscription, f *Frame, body []byte) past {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subReplaying {
		return hasEnded
	}
	if !c.isExcluded(f.Event) {
		if !c.ready(len(body)) {
			return noRoom
		}
		s.stand(f.ID)
		if !c.send(f, body) {
			return hasEnded
		}
		c.hub.options.Metrics.Delivered(1, len(body))
		return toldPast
	}
	s.position = f.ID
	return toldPast
}

// ready reports whether the sink takes a past event now; if not, the next
// Drained counts. The second look is for a sink that drained between the first
// one and the note.
func (c *Conn) ready(size int) bool {
	if c.sink.Ready(size) {
		return true
	}
	c.stalled.Store(true)
	return c.sink.Ready(size)
}

// catchUp makes a subscription live that has been told the past. It reports
// whether it is still wanted.
func (c *Conn) catchUp(s *subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subReplaying {
		return false
	}
	s.state = subLive
	c.say(&Frame{Type: FrameLive, Channel: s.channel})
	return s.state == subLive
}

// Drained says that nothing waits in the sink any more. The door calls it each
// time that comes to be; it costs next to nothing unless a replay waits for it.
func (c *Conn) Drained() {
	if !c.stalled.Swap(false) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		if s.state == subReplaying {
			c.hub.workerOf(s.channel).post(task{kind: taskDrained, channel: s.channel, sub: s})
		}
	}
}

func (c *Conn) isExcluded(e *event.Event) bool {
	return len(e.Exclude) > 0 && (e.Excludes(c.id) || c.resumes != "" && e.Excludes(c.resumes))
}

// fail tells the client that a subscription cannot be had now.
func (c *Conn) fail(s *subscription, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state == subEnded {
		return
	}
	c.say(&Frame{Type: FrameError, Code: event.CodeUnavailable, Message: message, Channel: s.channel, Ref: s.ref})
	if len(c.subs) == 1 || s.named {
		// Nothing is left that could bring it an event, or the client asks for
		// this channel by coming: it should come back later. The goodbye's cursor
		// still names where it stood in this channel; without that it would come
		// back as one that is new there, and never be told what it missed.
		c.close(event.ReasonUnavailable, message)
		return
	}
	c.drop(s)
}

// reset tells the client that events of a channel were lost to it, if it was
// told all that its topic was. It reports false if it was told more or less.
func (c *Conn) reset(s *subscription, stood event.Position, f *Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subLive {
		return true // it has ended; there is nobody to tell
	}
	if s.heard != stood {
		return s.heard == f.ID
	}
	s.stand(f.ID)
	c.sayReset(f)
	return true
}

// sayReset tells the client that it has to refetch; c.mu is held.
func (c *Conn) sayReset(f *Frame) {
	c.hub.options.Metrics.Reset(event.ResetCause(f.Reason))
	c.say(f)
}

// isAhead reports whether a live subscription has been told more than a topic
// that stands at a position.
func (c *Conn) isAhead(s *subscription, stood event.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.state == subLive && s.position.Offset > stood.Offset
}

// rewind makes a live subscription one that replays again, from what it was
// told last. It reports whether it is still wanted.
func (c *Conn) rewind(s *subscription) (at event.Position, wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subLive {
		return at, false
	}
	s.state = subReplaying
	s.position = s.heard
	return s.heard, true
}

// heard is the last position that the client was told.
func (c *Conn) heard(s *subscription) event.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.heard
}

// restart tells the client of a subscription that replays, or wants to, that
// it has to refetch, and that events after at follow. It reports whether the
// subscription is still wanted.
func (c *Conn) restart(s *subscription, at event.Position, cause event.ResetCause) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.state {
	case subJoining:
		s.state = subReplaying
		s.stand(at)
		c.hub.options.Metrics.Resumed(event.Outcome(cause))
		c.say(&Frame{Type: FrameSubscribed, Channel: s.channel, ID: at, Recovered: new(bool), Ref: s.ref})
	case subReplaying:
		s.stand(at)
	default:
		return false
	}
	c.sayReset(&Frame{Type: FrameReset, Channel: s.channel, ID: at, Reason: string(cause)})
	return s.state == subReplaying
}
