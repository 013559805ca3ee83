package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"relay/auth"
	"relay/bus/bustest"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

// everything is a grant for all channels, for ever.
var everything = auth.Grant{Subscribe: []event.Pattern{"*"}}

// client is a sink that keeps what it gets, as short texts.
type client struct {
	mu     sync.Mutex
	frames []string
	room   int // how many more frames it takes; negative: any number
	pace   int // how many frames may wait for more past events to come; 0: any number
	reason event.Reason
	conn   *hub.Conn
}

func (c *client) Send(_, body []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room == 0 {
		return false
	}
	c.room--
	for line := range strings.Lines(string(body)) {
		c.frames = append(c.frames, strings.TrimSuffix(line, "\n"))
	}
	return true
}

func (c *client) Ready(int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pace == 0 || len(c.frames) < c.pace
}

func (c *client) Close(reason event.Reason, _ string, last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reason = reason
	if last != nil {
		c.frames = append(c.frames, strings.TrimSuffix(string(last), "\n"))
	}
}

// take returns the frames since the last take.
func (c *client) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames := c.frames
	c.frames = nil
	return frames
}

func (c *client) closedFor() event.Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// plain is a format that a test can read, a line a frame.
type plain struct{}

func (plain) Transport() string { return "test" }

func (plain) Joins() bool { return true }

func (plain) HasCursor() bool { return false }

func (plain) Cursor([]byte) []byte { return nil }

func (plain) Encode(f *hub.Frame) []byte {
	if f.Type == hub.FrameLive {
		return nil
	}
	parts := []string{string(f.Type)}
	if f.Recovered != nil {
		parts = append(parts, map[bool]string{true: "recovered", false: "not-recovered"}[*f.Recovered])
	}
	for _, text := range []string{f.Channel, f.Reason, string(f.Code), f.Ref} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	if f.Event != nil {
		parts = append(parts, string(f.Event.Data))
	} else if !f.ID.IsZero() {
		parts = append(parts, fmt.Sprintf("@%d", f.ID.Offset))
	}
	return []byte(strings.Join(parts, " ") + "\n")
}

func connect(t *testing.T, h *hub.Hub, g auth.Grant) *client {
	t.Helper()
	c := &client{room: -1}
	conn, err := h.Connect(hub.Newcomer{Grant: g, Sink: c, Format: plain{}})
	if err != nil {
		t.Fatal(err)
	}
	c.conn = conn
	if got := c.take(); !slices.Equal(got, []string{"welcome"}) {
		t.Fatalf("the first frames are %q", got)
	}
	return c
}

func (c *client) subscribe(channels ...string) {
	var list []hub.Request
	for _, channel := range channels {
		list = append(list, hub.Request{Channel: channel})
	}
	c.conn.Subscribe(list...)
}

func want(t *testing.T, c *client, frames ...string) {
	t.Helper()
	synctest.Wait()
	if got := c.take(); !slices.Equal(got, frames) {
		t.Errorf("got  %q\nwant %q", got, frames)
	}
}

// inBubble runs a test with a fake clock, a membus and a hub.
func inBubble(t *testing.T, options hub.Options, test func(*testing.T, *hub.Hub, *membus.Bus)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := membus.New(bustest.Keep)
		h := hub.New(b, options)
		synctest.Wait()
		test(t, h, b)
		h.Close()
		b.Close()
	})
}

func TestOneClient(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		bustest.Publish(t, b, bustest.Number("a", 1)) // before anybody listens
		alice := connect(t, h, everything)
		alice.conn.Subscribe(hub.Request{Channel: "a", Ref: "7"})
		want(t, alice, "subscribed a 7 @1")
		bustest.Publish(t, b, bustest.Number("a", 2), bustest.Number("b", 1), bustest.Number("a", 3))
		want(t, alice, "event a 2", "event a 3")

		alice.subscribe("a", "bad*name", "b")
		want(t, alice, "error a already_subscribed", "error bad*name invalid_channel", "subscribed b @1")
		alice.conn.Unsubscribe("a", "8")
		alice.conn.Unsubscribe("a", "9")
		bustest.Publish(t, b, bustest.Number("a", 4), bustest.Number("b", 2))
		want(t, alice, "unsubscribed a requested 8", "error a not_subscribed 9", "event b 2")
		alice.conn.Pong()
		want(t, alice, "pong")

		if n := h.Connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
		alice.conn.Gone(event.ReasonClientClosed)
		bustest.Publish(t, b, bustest.Number("b", 3))
		want(t, alice)
		if n := h.Connections(); n != 0 {
			t.Errorf("%d connections after it is gone", n)
		}
	})
}

func TestGrants(t *testing.T) {
	inBubble(t, hub.Options{MaxChannels: 3}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		alice := connect(t, h, auth.Grant{User: "alice", Subscribe: []event.Pattern{"news", "alice.*"}})
		alice.subscribe("news", "alice.1", "bob.1", "news2", "_control", "alice.2", "alice.3")
		synctest.Wait()
		got := alice.take()
		slices.Sort(got)
		wanted := []string{
			"error _control invalid_channel", "error alice.3 too_many_channels", "error bob.1 forbidden", "error news2 forbidden",
			"subscribed alice.1 @0", "subscribed alice.2 @0", "subscribed news @0",
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("got  %q\nwant %q", got, wanted)
		}
		alice.conn.Renew(auth.Grant{User: "mallory", Subscribe: []event.Pattern{"*"}})
		want(t, alice, "error token_invalid")
		alice.conn.Renew(auth.Grant{User: "alice", Subscribe: []event.Pattern{"alice.*"}})
		want(t, alice, "unsubscribed news forbidden")
		alice.conn.Gone(event.ReasonClientClosed)
	})
}

func TestExpiry(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		grant := auth.Grant{User: "alice", Subscribe: []event.Pattern{"*"}, Expires: time.Now().Add(time.Minute)}
		alice, bob := connect(t, h, grant), connect(t, h, grant)
		alice.subscribe("a")
		want(t, alice, "subscribed a @0")
		time.Sleep(50 * time.Second)
		grant.Expires = time.Now().Add(time.Minute)
		alice.conn.Renew(grant)
		time.Sleep(11 * time.Second)
		want(t, bob, "error token_expired", "goodbye token_expired")
		want(t, alice)
		time.Sleep(50 * time.Second)
		want(t, alice, "error token_expired", "goodbye token_expired")
		alice.conn.Gone(event.ReasonClientClosed)
		bob.conn.Gone(event.ReasonClientClosed)
		if alice.closedFor() != event.ReasonTokenExpired {
			t.Errorf("closed for %s", alice.closedFor())
		}
	})
}

func TestExclude(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		alice, bob := connect(t, h, everything), connect(t, h, everything)
		again := &client{room: -1}
		conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: again, Format: plain{}, Resumes: alice.conn.ID()})
		if err != nil {
			t.Fatal(err)
		}
		again.conn = conn
		for _, c := range []*client{alice, bob, again} {
			c.subscribe("a")
			synctest.Wait()
			c.take()
		}
		p := bustest.Number("a", 1)
		p.Exclude = []string{alice.conn.ID()}
		bustest.Publish(t, b, p, bustest.Number("a", 2))
		want(t, alice, "event a 2")
		want(t, bob, "event a 1", "event a 2")
		want(t, again, "event a 2")
	})
}

func TestSlowClientCostsItselfOnly(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		cathy, bob := connect(t, h, everything), connect(t, h, everything)
		cathy.subscribe("a")
		bob.subscribe("a")
		want(t, cathy, "subscribed a @0")
		want(t, bob, "subscribed a @0")
		cathy.mu.Lock()
		cathy.room = 2
		cathy.mu.Unlock()
		for n := range 5 {
			bustest.Publish(t, b, bustest.Number("a", n))
			synctest.Wait() // else they would come in one piece
		}
		want(t, cathy, "event a 0", "event a 1", "goodbye too_slow")
		want(t, bob, "event a 0", "event a 1", "event a 2", "event a 3", "event a 4")
		if cathy.closedFor() != event.ReasonSlow {
			t.Errorf("closed for %s", cathy.closedFor())
		}
		census, err := h.Census(context.Background(), "a")
		if err != nil || census.Local != 1 || census.Total != 1 || census.Relays != 1 || !census.Complete {
			t.Errorf("%+v, %v", census, err)
		}
	})
}

func TestDisconnect(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		user := auth.Grant{User: "alice", Subscribe: []event.Pattern{"*"}}
		one, two, other := connect(t, h, user), connect(t, h, user), connect(t, h, everything)
		d, err := h.Disconnect(context.Background(), hub.Target{User: "alice"}, "logged out")
		if err != nil || d.Connections != 2 || !d.Complete {
			t.Errorf("%+v, %v", d, err)
		}
		want(t, one, "goodbye disconnected")
		want(t, two, "goodbye disconnected")
		want(t, other)
		d, err = h.Disconnect(context.Background(), hub.Target{Connection: other.conn.ID()}, "")
		if err != nil || d.Connections != 1 {
			t.Errorf("%+v, %v", d, err)
		}
		if d, err := h.Disconnect(context.Background(), hub.Target{}, ""); err != nil || d.Connections != 0 {
			t.Errorf("an order that names nobody: %+v, %v", d, err)
		}
	})
}

func TestFull(t *testing.T) {
	inBubble(t, hub.Options{MaxConnections: 1}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		c := connect(t, h, everything)
		if _, err := h.Connect(hub.Newcomer{Sink: &client{}, Format: plain{}}); !errors.Is(err, hub.ErrFull) {
			t.Errorf("the second connection of one: %v", err)
		}
		c.conn.Gone(event.ReasonClientClosed)
		if err := h.Admits(); err != nil {
			t.Error(err)
		}
	})
}

// withCursor is a format whose frames carry the client's cursor.
type withCursor struct{ plain }

func (withCursor) Joins() bool { return false }

func (withCursor) HasCursor() bool { return true }

func (withCursor) Cursor(cursor []byte) []byte { return append([]byte(nil), cursor...) }

// cursors is a sink that keeps the heads it gets.
type cursors struct {
	client
	heads []string
}

func (c *cursors) Send(head, body []byte) bool {
	if !c.client.Send(nil, body) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heads = append(c.heads, string(head))
	return true
}

// A client resumes after the last cursor it got, so no cursor may name an
// event that was given up.
func TestCursorOfASlowClient(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		cathy := &cursors{client: client{room: 4}}
		conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: cathy, Format: withCursor{}})
		if err != nil {
			t.Fatal(err)
		}
		conn.Subscribe(hub.Request{Channel: "a"})
		synctest.Wait()
		var ids []string
		for n := range 4 {
			ids = append(ids, bustest.Publish(t, b, bustest.Number("a", n))[0].ID.String())
		}
		synctest.Wait()
		if last := cathy.heads[len(cathy.heads)-1]; last != ids[1] {
			t.Errorf("the last cursor is %s; the client has events up to %s", last, ids[1])
		}
		frames := cathy.take()
		if got := frames[len(frames)-1]; got != "goodbye too_slow" {
			t.Errorf("the goodbye carries a cursor: %q", got)
		}
	})
}

// gauge counts subscriptions.
type gauge struct {
	hub.NoMetrics
	mu   sync.Mutex
	subs int
}

func (g *gauge) Subscriptions(delta int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.subs += delta
}

func TestSubscriptionsAreCountedOnce(t *testing.T) {
	g := &gauge{}
	inBubble(t, hub.Options{Metrics: g}, func(t *testing.T, h *hub.Hub, _ *membus.Bus) {
		alice := connect(t, h, auth.Grant{User: "alice", Subscribe: []event.Pattern{"*"}})
		alice.subscribe("a", "b", "c")
		synctest.Wait()
		alice.mu.Lock()
		alice.room = 0 // the first unsubscribed frame finds no room and closes
		alice.mu.Unlock()
		alice.conn.Renew(auth.Grant{User: "alice"})
		alice.conn.Gone(event.ReasonConnectionLost)
		synctest.Wait()
		if g.subs != 0 {
			t.Errorf("%d subscriptions are left", g.subs)
		}
	})
}

// A page reload must not cost Redis an UNSUBSCRIBE and a SUBSCRIBE.
func TestLinger(t *testing.T) {
	inBubble(t, hub.Options{Linger: 5 * time.Second}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		quick := bustest.Number("a", 1)
		quick.Transient = true
		heard := func() int { return bustest.Publish(t, b, quick)[0].Receivers }
		alice := connect(t, h, everything)
		alice.subscribe("a")
		synctest.Wait()
		alice.conn.Gone(event.ReasonClientClosed)
		time.Sleep(4 * time.Second)
		if heard() != 1 {
			t.Error("the channel was given up at once")
		}
		bob := connect(t, h, everything)
		bob.subscribe("a")
		time.Sleep(10 * time.Second)
		if heard() != 1 {
			t.Error("the channel was given up although somebody came")
		}
		bob.conn.Gone(event.ReasonClientClosed)
		time.Sleep(7 * time.Second)
		if heard() != 0 {
			t.Error("the channel was never given up")
		}
	})
}
