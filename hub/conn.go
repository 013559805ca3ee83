package hub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"relay/auth"
	"relay/event"
)

// Conn is one client's presence on this relay.
type Conn struct {
	// Fixed after Connect.
	hub     *Hub
	id      string
	resumes string
	sink    Sink
	format  Format
	fixed   bool // the client cannot ask for a channel again
	since   time.Time

	stalled atomic.Bool // a replay waits until the sink is empty

	// mu also orders the calls of sink.
	mu     sync.Mutex
	grant  auth.Grant
	subs   []*subscription // in the order of subscribing
	many   bool            // more than one channel was ever asked for: cursors name their channels
	cursor []byte          // scratch for the text of a cursor
	expiry *time.Timer
	closed bool
	gone   bool
	reason event.Reason // why closed; the first word counts
}

// subscription joins a connection to a channel.
type subscription struct {
	// Fixed.
	conn    *Conn
	channel string
	hash    event.ChannelHash
	ref     string
	since   Since

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
	state    subscriptionState
	position event.Position // last one told to the client
}

type subscriptionState uint8

const (
	subJoining subscriptionState = iota
	subReplaying
	subLive
	subEnded
)

// ID is the name by which a publisher can exclude this connection.
func (c *Conn) ID() string { return c.id }

// userNow is the subject of the connection's token; empty without one.
func (c *Conn) userNow() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grant.User
}

func (c *Conn) welcome(g auth.Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(&Frame{Type: FrameWelcome, Connection: c.id, PingInterval: c.hub.options.PingInterval})
	c.take(g)
}

// take makes g the connection's grant and arms its expiry. c.mu is held.
func (c *Conn) take(g auth.Grant) {
	c.grant = g
	if c.expiry != nil {
		c.expiry.Stop()
		c.expiry = nil
	}
	if !g.Expires.IsZero() && !c.closed {
		c.expiry = time.AfterFunc(time.Until(g.Expires), func() { c.expire(g.Expires) })
	}
}

// expire closes the connection unless a fresher grant came meanwhile.
func (c *Conn) expire(at time.Time) {
	c.mu.Lock()
	current := c.grant.Expires.Equal(at)
	c.mu.Unlock()
	if current {
		c.Refuse(event.ReasonTokenExpired, event.CodeTokenExpired,
			"the token expired at "+at.UTC().Format(time.RFC3339)+"; connect again with a fresh one")
	}
}

// Renew replaces the connection's grant. A connection that had a user keeps
// it: a token of another user is refused with an error frame and changes
// nothing. Subscriptions that the new grant does not cover end.
func (c *Conn) Renew(g auth.Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if c.grant.User != "" && g.User != c.grant.User {
		c.say(&Frame{Type: FrameError, Code: event.CodeTokenInvalid,
			Message: "the token is another user's; open a new connection for it"})
		return
	}
	c.take(g)
	for _, s := range slices.Clone(c.subs) {
		if !g.Allows(s.channel) && !c.closed {
			c.end(s, string(event.ReasonForbidden), "")
		}
	}
}

// Request asks for one channel.
type Request struct {
	Channel string
	// Since is where to go on; the zero value is now.
	Since Since
	// Ref is the client's mark for the answer, raw JSON; may be empty.
	Ref string
}

// Subscribe asks for channels; the answers are frames: subscribed when the
// bus has confirmed and the channel is live, or error. It returns how many
// requests were taken on. Channels that a client asks for at once should come
// in one call: a cursor then knows that it is about several.
func (c *Conn) Subscribe(requests ...Request) (taken int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.subs)+len(requests) > 1 {
		c.many = true
	}
	for _, r := range requests {
		if c.closed {
			return taken
		}
		if code, text := c.objection(r.Channel); code != "" {
			c.say(&Frame{Type: FrameError, Code: code, Message: text, Channel: r.Channel, Ref: r.Ref})
			continue
		}
		s := &subscription{conn: c, channel: r.Channel, ref: r.Ref, since: r.Since}
		if c.format.HasCursor() {
			s.hash = event.HashChannel(r.Channel)
		}
		// Until it is told otherwise the client stands where it says. A cursor
		// that left the channel out meanwhile would lose its place.
		s.position = r.Since.at
		c.subs = append(c.subs, s)
		c.hub.options.Metrics.Subscriptions(1)
		c.hub.workerOf(r.Channel).post(task{kind: taskJoin, channel: r.Channel, sub: s})
		taken++
	}
	return taken
}

// objection says why a channel cannot be subscribed to; c.mu is held.
func (c *Conn) objection(channel string) (event.Code, string) {
	if err := event.CheckChannel(channel); err != nil {
		return event.CodeInvalidChannel, err.Error()
	}
	if c.find(channel) != nil {
		return event.CodeAlreadySubscribed, "this connection is subscribed to that channel already"
	}
	if !c.grant.Allows(channel) {
		if c.grant.User == "" {
			return event.CodeForbidden, "this channel needs a token that covers it"
		}
		return event.CodeForbidden, "the token does not cover this channel"
	}
	if most := c.hub.options.MaxChannels; len(c.subs) >= most {
		return event.CodeTooManyChannels,
			fmt.Sprintf("a connection may have %d channels (RELAY_MAX_CHANNELS); unsubscribe from one first", most)
	}
	return "", ""
}

// Unsubscribe ends one subscription; the answer is a frame.
func (c *Conn) Unsubscribe(channel, ref string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.find(channel)
	if s == nil {
		c.say(&Frame{Type: FrameError, Code: event.CodeNotSubscribed, Channel: channel, Ref: ref,
			Message: "this connection is not subscribed to that channel"})
		return
	}
	c.end(s, "requested", ref)
}

// Error tells the client about a mistake of its own; the connection lives on.
func (c *Conn) Error(code event.Code, message, ref string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(&Frame{Type: FrameError, Code: code, Message: message, Ref: ref})
}

// Pong answers a ping frame.
func (c *Conn) Pong() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(&Frame{Type: FramePong})
}

// Refuse says an error and closes.
func (c *Conn) Refuse(reason event.Reason, code event.Code, message string) {
	c.Error(code, message, "")
	c.Close(reason, message)
}

// Close ends the connection: what was said before still leaves, then a
// goodbye with the reason, then the transport closes. text explains it to a
// person. The first call's reason is the one that counts.
func (c *Conn) Close(reason event.Reason, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close(reason, text)
}

// Gone says that the transport is over; reason counts if nobody closed the
// connection before. Called by the door, exactly once.
func (c *Conn) Gone(reason event.Reason) {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return
	}
	c.gone = true
	c.close(reason, "")
	reason, user := c.reason, c.grant.User
	c.mu.Unlock()
	c.hub.forget(c)
	c.hub.options.Metrics.ConnectionClosed(c.format.Transport(), reason)
	c.hub.options.Log.Debug("connection ended", "connection", c.id, "user", user,
		"transport", c.format.Transport(), "reason", reason, "after", time.Since(c.since).Round(time.Millisecond))
}

// close ends everything; c.mu is held.
func (c *Conn) close(reason event.Reason, text string) {
	if c.closed {
		return
	}
	c.closed = true
	c.reason = reason
	if c.expiry != nil {
		c.expiry.Stop()
	}
	last := c.goodbye(reason, text)
	for _, s := range c.subs {
		c.leave(s)
	}
	c.subs = nil
	c.sink.Close(reason, text, last)
}

// goodbye encodes the last frame, or nil if nobody is there to read it; c.mu is held.
func (c *Conn) goodbye(reason event.Reason, text string) []byte {
	switch reason {
	case event.ReasonClientClosed, event.ReasonConnectionLost, event.ReasonPingTimeout:
		return nil
	}
	f := Frame{Type: FrameGoodbye, Reason: string(reason), Message: text, ReconnectIn: reconnectIn(reason)}
	body := c.format.Encode(&f)
	if reason == event.ReasonSlow {
		// The sink gives up what is queued. A cursor here would name events
		// that were never written, and the client would resume after them.
		return body
	}
	return append(slices.Clip(c.headFor(&f)), body...)
}

// reconnectIn is when a client should come back, spread so that the clients
// of one relay do not come as one; zero if it should not, or not by itself.
func reconnectIn(reason event.Reason) time.Duration {
	switch reason {
	case event.ReasonDraining, event.ReasonSlow:
		return 100*time.Millisecond + rand.N(2*time.Second)
	case event.ReasonUnavailable, event.ReasonTooMany:
		return time.Second + rand.N(4*time.Second)
	}
	return 0
}

// find returns the subscription to a channel; c.mu is held. A connection has
// few: walking them beats a map in memory and in time.
func (c *Conn) find(channel string) *subscription {
	for _, s := range c.subs {
		if s.channel == channel {
			return s
		}
	}
	return nil
}

// end ends one subscription and tells the client; c.mu is held.
func (c *Conn) end(s *subscription, reason, ref string) {
	c.drop(s)
	c.say(&Frame{Type: FrameUnsubscribed, Channel: s.channel, Reason: reason, Ref: ref})
}

// drop takes a subscription out of the connection; c.mu is held.
func (c *Conn) drop(s *subscription) {
	for i, other := range c.subs {
		if other == s {
			c.subs = append(c.subs[:i], c.subs[i+1:]...)
			break
		}
	}
	c.leave(s)
}

// leave tells the worker that a subscription is over; c.mu is held.
func (c *Conn) leave(s *subscription) {
	if s.state == subEnded {
		return
	}
	s.state = subEnded
	c.hub.options.Metrics.Subscriptions(-1)
	c.hub.workerOf(s.channel).post(task{kind: taskLeave, channel: s.channel, sub: s})
}

// say encodes a frame for this connection alone and hands it over; c.mu is held.
func (c *Conn) say(f *Frame) {
	if c.closed {
		return
	}
	c.send(f, c.format.Encode(f))
}

// send hands a frame over and closes a client that is too far behind; c.mu
// is held. It reports whether the frame was taken.
func (c *Conn) send(f *Frame, body []byte) bool {
	if body == nil {
		return true
	}
	if !c.sink.Send(c.headFor(f), body) {
		c.close(event.ReasonSlow, "the client reads more slowly than events come; it can resume")
		return false
	}
	return true
}

// headFor returns what stands before a frame that moves the cursor, or nil;
// c.mu is held.
func (c *Conn) headFor(f *Frame) []byte {
	if !c.format.HasCursor() || !f.movesCursor() {
		return nil
	}
	text := c.cursor[:0]
	for _, s := range c.subs {
		if s.position.IsZero() {
			continue
		}
		if !c.many {
			text = s.position.Append(text)
			break
		}
		text = event.AppendCursorEntry(text, s.hash, s.position)
	}
	c.cursor = text
	if len(text) == 0 {
		return nil
	}
	return c.format.Cursor(text)
}

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
	s.position = at
	c.say(&Frame{Type: FrameSubscribed, Channel: s.channel, ID: at, Recovered: recovered, Ref: s.ref})
	if cause != "" {
		c.say(&Frame{Type: FrameReset, Channel: s.channel, ID: at, Reason: string(cause)})
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
	s.position = at
	f := &Frame{Type: FrameSubscribed, Channel: s.channel, ID: at, Ref: s.ref}
	if s.since.kind == sincePosition {
		recovered := true
		f.Recovered = &recovered
	}
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
		s.position = f.ID
		if !c.send(f, body) {
			return hasEnded
		}
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
	c.drop(s)
	c.say(&Frame{Type: FrameError, Code: event.CodeUnavailable, Message: message, Channel: s.channel, Ref: s.ref})
	if len(c.subs) == 0 || c.fixed {
		// Nothing is left that could bring it an event, or the client has no
		// way to ask for this channel again: it should come back later.
		c.close(event.ReasonUnavailable, message)
	}
}

// reset tells the client that events of a channel were lost to it, if it
// stands where its topic stood. It reports false if it stands elsewhere.
func (c *Conn) reset(s *subscription, stood event.Position, f *Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subLive {
		return true // it has ended; there is nobody to tell
	}
	if s.position != stood {
		return s.position == f.ID
	}
	s.position = f.ID
	c.say(f)
	return true
}

// rewind makes a live subscription one that replays again, from where it
// stands. It reports whether it is still wanted.
func (c *Conn) rewind(s *subscription) (at event.Position, wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subLive {
		return at, false
	}
	s.state = subReplaying
	return s.position, true
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
		s.position = at
		c.say(&Frame{Type: FrameSubscribed, Channel: s.channel, ID: at, Recovered: new(bool), Ref: s.ref})
	case subReplaying:
		s.position = at
	default:
		return false
	}
	c.say(&Frame{Type: FrameReset, Channel: s.channel, ID: at, Reason: string(cause)})
	return s.state == subReplaying
}

// deliver hands an event over, encoded as body. It reports whether the client
// got it.
func (c *Conn) deliver(s *subscription, f *Frame, body []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state != subLive {
		return false
	}
	if id := f.Event.ID; !id.IsZero() {
		if id.Offset <= s.position.Offset {
			return false // a replay was ahead of the topic
		}
		s.position = id // before send, which writes the cursor
	}
	if c.isExcluded(f.Event) {
		return false
	}
	return c.send(f, body)
}
