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
	visit   string
	ticket  func(auth.Grant) string
	sink    Sink
	format  Format
	since   time.Time

	stalled atomic.Bool // a replay waits until the sink is empty

	// mu also orders the calls of sink.
	mu     sync.Mutex
	grant  auth.Grant
	subs   []*subscription // in the order of subscribing
	many   bool            // more than one channel was ever asked for: cursors name their channels
	cursor []byte          // scratch for the text of a cursor
	expiry *time.Timer
	ending *time.Timer // of the greatest age, or a visitor's turn to go; may be nil
	closed bool
	gone   bool
	reason event.Reason // why closed; the first word counts
}

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
	if age := c.hub.options.MaxAge; age > 0 && c.visit == "" {
		// Clients that came as one must not leave as one.
		c.armEnding(age-rand.N(age/5+1), c.grownOld)
	}
}

// endAfter calls end in a while, unless the connection is closed before.
func (c *Conn) endAfter(wait time.Duration, end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armEnding(wait, end)
}

// armEnding is endAfter for whoever holds c.mu.
func (c *Conn) armEnding(wait time.Duration, end func()) {
	if !c.closed {
		c.ending = time.AfterFunc(wait, end)
	}
}

// grownOld sends the client to look for a relay anew. One that leaves anyway
// releases its clients by its own plan.
func (c *Conn) grownOld() {
	if !c.hub.Draining() {
		c.Close(event.ReasonMaxAge, "")
	}
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
	// Named: the client named the channel in the address it came to, and asks
	// for it again by coming again. If it cannot be had, the client is sent away
	// for that: most clients come back by themselves, and few read errors.
	Named bool
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
		s := &subscription{conn: c, channel: r.Channel, ref: r.Ref, since: r.Since, named: r.Named}
		if c.format.HasCursor() {
			s.hash = event.HashChannel(r.Channel)
		}
		// Until it is told otherwise the client stands where it says. A cursor
		// that left the channel out meanwhile would lose its place.
		s.stand(r.Since.at)
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

// TooSlow closes a client that is too far behind.
func (c *Conn) TooSlow() { c.Close(event.ReasonSlow, slowText) }

const slowText = "the client reads more slowly than events come; it can resume"

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
	if c.ending != nil {
		c.ending.Stop()
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
	if c.ticket != nil && (reason == event.ReasonDraining || reason == event.ReasonMaxAge) {
		f.Ticket = c.ticket(c.grant)
	}
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
	case event.ReasonDraining, event.ReasonMaxAge, event.ReasonSlow:
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
	return c.hand(c.headFor(f), body)
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
