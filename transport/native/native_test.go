package native_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"relay/event"
	"relay/hub"
	"relay/transport/native"
)

func position(t *testing.T, s string) event.Position {
	t.Helper()
	p, err := event.ParsePosition(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFrames(t *testing.T) {
	id := position(t, "1795334400123-42-Xk3vQ9")
	yes := true
	for _, c := range []struct {
		frame hub.Frame
		want  string
	}{
		{
			hub.Frame{Type: hub.FrameEvent, Channel: "orders.42", ID: id, Event: &event.Event{Name: "order.paid", Data: []byte(`{"total":12}`)}},
			`{"type":"event","channel":"orders.42","id":"1795334400123-42-Xk3vQ9","event":"order.paid","data":{"total":12}}`,
		},
		{
			hub.Frame{Type: hub.FrameEvent, Channel: "a", Event: &event.Event{Name: "x", Data: []byte(`null`)}},
			`{"type":"event","channel":"a","event":"x","data":null}`,
		},
		{
			hub.Frame{Type: hub.FrameWelcome, Connection: "abc", PingInterval: 25 * time.Second},
			`{"type":"welcome","connection":"abc","ping_interval_ms":25000}`,
		},
		{
			hub.Frame{Type: hub.FrameSubscribed, Channel: "a", ID: id, Recovered: &yes, Ref: "7"},
			`{"type":"subscribed","channel":"a","id":"1795334400123-42-Xk3vQ9","recovered":true,"ref":7}`,
		},
		{
			hub.Frame{Type: hub.FrameUnsubscribed, Channel: "a", Reason: "requested", Ref: `"x"`},
			`{"type":"unsubscribed","channel":"a","reason":"requested","ref":"x"}`,
		},
		{
			hub.Frame{Type: hub.FrameReset, Channel: "a", ID: id, Reason: "trimmed"},
			`{"type":"reset","channel":"a","id":"1795334400123-42-Xk3vQ9","reason":"trimmed"}`,
		},
		{
			hub.Frame{Type: hub.FrameError, Code: event.CodeForbidden, Message: "no", Channel: "a"},
			`{"type":"error","code":"forbidden","message":"no","channel":"a"}`,
		},
		{
			hub.Frame{Type: hub.FrameGoodbye, Reason: "draining", ReconnectIn: 1830 * time.Millisecond},
			`{"type":"goodbye","reason":"draining","reconnect_in_ms":1830}`,
		},
		{hub.Frame{Type: hub.FramePong}, `{"type":"pong"}`},
	} {
		if got := string(native.AppendFrame(nil, &c.frame)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// Whatever stands in the names, a frame is one line of valid JSON that says
// the same names.
func FuzzFrame(f *testing.F) {
	f.Add("orders.42", "order.paid", `{"total":12}`)
	f.Add("räume\"\\", "<\u2028>", `"\u0000"`)
	f.Add("\x00\n\r", "\xff\xfe", `[]`)
	f.Fuzz(func(t *testing.T, channel, name, data string) {
		if !json.Valid([]byte(data)) || strings.ContainsAny(data, "\r\n") || !utf8.ValidString(channel) || !utf8.ValidString(name) {
			return
		}
		text := native.AppendFrame(nil, &hub.Frame{Type: hub.FrameEvent, Channel: channel, Event: &event.Event{Name: name, Data: []byte(data)}})
		if strings.ContainsAny(string(text), "\r\n") {
			t.Fatalf("a line break in %q", text)
		}
		var got struct{ Type, Channel, Event string }
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got.Type != "event" || got.Channel != channel || got.Event != name {
			t.Fatalf("%s says %+v, want channel %q, name %q", text, got, channel, name)
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		`{"type":"subscribe","channel":"a","since":"1-2-abcdef","ref":7}`, `{"type":"unsubscribe","channel":"a","ref":"x"}`,
		`{"type":"token","token":"a.b.c"}`, `{"type":"ping"}`, `{"type":"ping","ref":{}}`, `{"type":7}`, `null`, `[]`, `{`, ``,
		"{\"type\":\"\xff\"}", `{"type":"subscribe"}`, ` {"type":"ping"} `, `{"type":"ping"}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := native.ParseCommand(text)
		if err != nil {
			var wrong *native.FrameError
			if !errors.As(err, &wrong) || wrong.Message == "" {
				t.Fatalf("%q: error %v", text, err)
			}
			if wrong.Ref != "" && !json.Valid([]byte(wrong.Ref)) {
				t.Fatalf("%q: ref %q cannot be given back", text, wrong.Ref)
			}
			return
		}
		if c.Ref != "" && !json.Valid([]byte(c.Ref)) {
			t.Fatalf("%q: ref %q cannot be given back", text, c.Ref)
		}
		switch c.Type {
		case native.CommandSubscribe, native.CommandUnsubscribe, native.CommandToken, native.CommandPing:
		default:
			t.Fatalf("%q: type %q was accepted", text, c.Type)
		}
	})
}

func TestCloseText(t *testing.T) {
	long := strings.Repeat("é", 100)
	for _, c := range []struct {
		reason     event.Reason
		text, want string
	}{
		{event.ReasonDraining, "whatever", "draining"},
		{event.ReasonDisconnected, "", "disconnected"},
		{event.ReasonDisconnected, "logged out", "logged out"},
		{event.ReasonDisconnected, long, strings.Repeat("é", 61)},
		{event.ReasonDisconnected, "x" + long, "x" + strings.Repeat("é", 61)},
	} {
		got := native.CloseText(c.reason, c.text)
		if got != c.want || len(got) > event.MaxReasonBytes {
			t.Errorf("%s %q: got %q", c.reason, c.text, got)
		}
	}
}
