package relays

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"relay/tests/redistest"
	"relay/tests/relaytest"
)

func TestWebSocketByFrames(t *testing.T) {
	r := relaytest.Start(t, "RELAY_MAX_CHANNELS=3")
	c := r.WebSocket(t, "channel=a")
	w := relaytest.Expect(t, c, "welcome")
	if len(w.Connection) < 16 || w.PingInterval != 25000 {
		t.Errorf("welcome: %+v", w)
	}
	if f := relaytest.Expect(t, c, "subscribed"); f.Channel != "a" || f.ID == "" || f.Ref != nil {
		t.Errorf("subscribed by the query: %+v", f)
	}
	for _, step := range []struct{ send, want string }{
		{`{"type":"subscribe","channel":"b","ref":7}`, "subscribed b  7"},
		{`{"type":"subscribe","channel":"b","ref":"x"}`, `error b already_subscribed "x"`},
		{`{"type":"subscribe","channel":"a*"}`, "error a* invalid_channel "},
		{`{"type":"subscribe","channel":"_control"}`, "error _control invalid_channel "},
		{`{"type":"subscribe","channel":""}`, "error  invalid_channel "},
		{`{"type":"subscribe","channel":"c","future":{"field":[1]}}`, "subscribed c  "},
		{`{"type":"subscribe","channel":"d","ref":1.5}`, "error d too_many_channels 1.5"},
		{`{"type":"unsubscribe","channel":"c","ref":8}`, "unsubscribed c  8"},
		{`{"type":"unsubscribe","channel":"c","ref":9}`, "error c not_subscribed 9"},
		{`{"type":"ping"}`, "pong   "},
		{`{"type":"token","token":"whatever"}`, ""}, // this relay takes none: nothing to say
		{`{"type":"ping","type":"subscribe"}`, "error  bad_frame "},
		{`{"type":"subscribe","CHANNEL":"x"}`, "error  bad_frame "},
		{`{"type":"subscribe","channel":"\ud800"}`, "error  bad_frame "},
		{`{"type":"dance","ref":10}`, "error  bad_frame 10"},
		{`{"type":"subscribe"}`, "error  bad_frame "},
		{`{"type":"subscribe","channel":7}`, "error  bad_frame "},
		{`{"type":"ping","ref":[1]}`, "error  bad_frame "},
		{`["ping"]`, "error  bad_frame "}, {`null`, "error  bad_frame "}, {`ping`, "error  bad_frame "},
		{`{"type":"ping"}{"type":"ping"}`, "error  bad_frame "},
		{`{"type":"ping"}`, "pong   "},
	} {
		c.Send(t, step.send)
		if step.want == "" {
			continue
		}
		f := relaytest.Next(t, c)
		if got := fmt.Sprintf("%s %s %s %s", f.Type, f.Channel, f.Code, f.Ref); got != step.want {
			t.Errorf("%s: got %q, want %q", step.send, got, step.want)
		}
		if f.Type == "error" && len(f.Message) < 15 {
			t.Errorf("%s: message %q", step.send, f.Message)
		}
	}
	r.Publish(t, `{"channels":["a","b","c"],"event":"x","data":{"n":1}}`)
	for range 2 {
		if f := relaytest.Expect(t, c, "event"); f.Channel == "c" || string(f.Data) != `{"n":1}` {
			t.Errorf("event: %+v", f)
		}
	}
}

func TestWebSocketHostileFrames(t *testing.T) {
	r := relaytest.Start(t)
	ctx, cancel := context.WithTimeout(context.Background(), relaytest.Patience)
	defer cancel()

	c := r.WebSocket(t, "channel=a")
	relaytest.Welcome(t, c, 1)
	if err := c.Write(ctx, websocket.MessageBinary, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if f := relaytest.Expect(t, c, "error"); f.Code != "bad_frame" {
		t.Errorf("a binary frame: %+v", f)
	}
	r.Publish(t, number("a", 1))
	relaytest.Expect(t, c, "event") // it lives

	c.Send(t, `{"type":"ping","pad":"`+strings.Repeat("x", 17<<10)+`"}`)
	if f := relaytest.Expect(t, c, "error"); f.Code != "too_large" {
		t.Errorf("a frame over the limit: %+v", f)
	}
	if code, reason := c.Closed(t); code != 1009 || reason != "too_big" {
		t.Errorf("a frame over the limit closed with %d %q", code, reason)
	}

	c = r.WebSocket(t, "channel=a")
	for range 100 {
		if err := c.Write(ctx, websocket.MessageText, []byte("{")); err != nil {
			break
		}
	}
	if code, reason := c.Closed(t); code != 4400 {
		t.Errorf("a hundred bad frames closed with %d %q", code, reason)
	}

	c = r.WebSocket(t, "channel=a")
	for range 2000 {
		if err := c.Write(ctx, websocket.MessageText, []byte(`{"type":"ping"}`)); err != nil {
			break
		}
	}
	if code, reason := c.Closed(t); code != 4429 {
		t.Errorf("a flood of pings closed with %d %q", code, reason)
	}
	if a := relaytest.Do(t, "GET", r.OpsURL+"/livez", ""); a.Status != http.StatusOK {
		t.Errorf("after all that the relay answers %d", a.Status)
	}
}

func TestWebSocketRefusals(t *testing.T) {
	r := relaytest.Start(t, "RELAY_JWT_SECRET="+secret, "RELAY_PUBLIC_CHANNELS=news,public.*", "RELAY_MAX_CONNECTIONS=3")
	t.Run("before the upgrade", func(t *testing.T) {
		for name, c := range map[string]struct {
			header string
			status int
			code   string
		}{
			"foreign origin": {"Origin: http://evil.example", http.StatusForbidden, "origin_forbidden"},
			"null origin":    {"Origin: null", http.StatusForbidden, "origin_forbidden"},
		} {
			_, a, err := r.TryWebSocket("channel=news", c.header)
			if err == nil || a.Status != c.status || !strings.Contains(a.Body, `"`+c.code+`"`) {
				t.Errorf("%s: %d %s, %v", name, a.Status, a.Body, err)
			}
		}
		if a := relaytest.Do(t, "GET", r.PublicURL+"/v1/ws?channel=news", ""); a.Status != http.StatusUpgradeRequired {
			t.Errorf("plain GET: %d %s", a.Status, a.Body)
		}
	})
	t.Run("after the upgrade", func(t *testing.T) {
		for name, c := range map[string]struct {
			query, code string
			close       int
		}{
			"bad channel":   {"channel=a*", "invalid_channel", 4400},
			"bad token":     {"channel=news&token=x.y.z", "token_invalid", 4401},
			"expired token": {"channel=news&token=" + sign(t, `{"sub":"a","exp":1}`), "token_expired", 4401},
			"forbidden":     {"channel=secret&token=" + sign(t, `{"sub":"a","exp":9999999999,"subscribe":["a.*"]}`), "forbidden", 4403},
			"no token":      {"channel=secret", "token_missing", 4401},
		} {
			ws := r.WebSocket(t, c.query)
			f := relaytest.Next(t, ws)
			for f.Type == "welcome" {
				f = relaytest.Next(t, ws)
			}
			if f.Type != "error" || f.Code != c.code {
				t.Errorf("%s: %+v", name, f)
			}
			if code, _ := ws.Closed(t); code != c.close {
				t.Errorf("%s: closed with %d, want %d", name, code, c.close)
			}
		}
	})
	t.Run("one forbidden among several", func(t *testing.T) {
		ws := r.WebSocket(t, "channel=secret&channel=news&token="+sign(t, `{"sub":"a","exp":9999999999}`))
		relaytest.Expect(t, ws, "welcome")
		if f := relaytest.Expect(t, ws, "error"); f.Code != "forbidden" || f.Channel != "secret" {
			t.Errorf("%+v", f)
		}
		relaytest.Expect(t, ws, "subscribed")
		_ = ws.CloseNow()
	})
	t.Run("too many connections", func(t *testing.T) {
		relaytest.Eventually(t, "earlier connections to be gone", func() bool {
			return strings.Contains(relaytest.Do(t, "GET", r.OpsURL+"/metrics", "").Body, `relay_connections{transport="ws"} 0`)
		})
		for range 3 {
			relaytest.Welcome(t, r.WebSocket(t, "channel=news"), 1)
		}
		if _, a, err := r.TryWebSocket("channel=news"); err == nil || a.Status != http.StatusTooManyRequests {
			t.Errorf("the fourth connection of three: %d %v", a.Status, err)
		}
		s := r.EventStream(t, "channel=news")
		if f := relaytest.Next(t, s); s.Status != http.StatusOK || f.Type != "goodbye" || f.Reason != "too_many" || f.ReconnectIn < 1000 {
			t.Errorf("the fourth connection of three, over SSE: %d %+v", s.Status, f)
		}
	})
}

func TestTokenFrame(t *testing.T) {
	r := relaytest.Start(t, "RELAY_JWT_SECRET="+secret)
	good := sign(t, `{"sub":"alice","exp":9999999999,"subscribe":["alice.*"]}`)
	t.Run("in time", func(t *testing.T) {
		c := r.WebSocket(t, "channel=alice.1")
		relaytest.Expect(t, c, "welcome")
		c.Send(t, `{"type":"token","token":"`+good+`"}`)
		if f := relaytest.Expect(t, c, "subscribed"); f.Channel != "alice.1" {
			t.Errorf("%+v", f)
		}
	})
	t.Run("wrong", func(t *testing.T) {
		c := r.WebSocket(t, "channel=alice.1")
		c.Send(t, `{"type":"token","token":"nonsense"}`)
		relaytest.Expect(t, c, "welcome")
		if f := relaytest.Expect(t, c, "error"); f.Code != "token_invalid" {
			t.Errorf("%+v", f)
		}
		if code, _ := c.Closed(t); code != 4401 {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("never", func(t *testing.T) {
		c := r.WebSocket(t, "")
		relaytest.Expect(t, c, "welcome")
		begin := time.Now()
		if code, reason := c.Closed(t); code != 4401 || reason != "token_missing" {
			t.Errorf("closed with %d %q", code, reason)
		}
		if took := time.Since(begin); took < 4*time.Second {
			t.Errorf("a client without a token was given only %v", took)
		}
	})
	t.Run("renewed", func(t *testing.T) {
		short := func() string {
			return sign(t, fmt.Sprintf(`{"sub":"alice","exp":%d,"subscribe":["alice.*"]}`, time.Now().Add(3*time.Second).Unix()))
		}
		kept, dropped := r.WebSocket(t, "channel=alice.1&token="+short()), r.WebSocket(t, "channel=alice.1&token="+short())
		relaytest.Welcome(t, kept, 1)
		relaytest.Welcome(t, dropped, 1)
		s := r.EventStream(t, "channel=alice.1&token="+short())
		relaytest.Welcome(t, s, 1)
		kept.Send(t, `{"type":"token","token":"`+good+`"}`)
		kept.Send(t, `{"type":"token","token":"nonsense"}`)
		if f := relaytest.Expect(t, kept, "error"); f.Code != "token_invalid" {
			t.Errorf("a bad fresh token: %+v", f)
		}
		if f := relaytest.Expect(t, dropped, "error"); f.Code != "token_expired" {
			t.Errorf("%+v", f)
		}
		if code, _ := dropped.Closed(t); code != 4401 {
			t.Errorf("closed with %d", code)
		}
		if f := relaytest.Expect(t, s, "error"); f.Code != "token_expired" {
			t.Errorf("over SSE: %+v", f)
		}
		if f := relaytest.Expect(t, s, "goodbye"); f.Reason != "token_expired" {
			t.Errorf("over SSE: %+v", f)
		}
		if f, err := relaytest.TryNext(s); err == nil {
			t.Errorf("the stream goes on: %+v", f)
		}
		r.Publish(t, number("alice.1", 1))
		relaytest.Expect(t, kept, "event")
	})
}

// TestWebSocketWithHalfOfItsChannels: a client that named its channels in its
// address is never left with some of them and an error that it may not read.
func TestWebSocketWithHalfOfItsChannels(t *testing.T) {
	redis := redistest.Start(t)
	redis.Do("ACL", "SETUSER", "default", "resetchannels", "&relay:a", "&relay:_*")
	r := relaytest.Start(t, "RELAY_REDIS_URL="+redis.URL())
	c := r.WebSocket(t, "channel=a&channel=b")
	if code, reason := c.Closed(t); code != 4503 {
		t.Errorf("closed with %d %q", code, reason)
	}
	c = r.WebSocket(t, "channel=a")
	relaytest.Welcome(t, c, 1)
	c.Send(t, `{"type":"subscribe","channel":"b","ref":1}`)
	if f := relaytest.Expect(t, c, "error"); f.Code != "unavailable" || f.Channel != "b" {
		t.Errorf("got %s", f.Text)
	}
	r.Publish(t, `{"channel":"a","event":"x","data":1}`)
	relaytest.Expect(t, c, "event")
}
