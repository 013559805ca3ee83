package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"relay/client"
	"relay/event"
)

func TestFramesComeInOrder(t *testing.T) {
	out := follow(t, client.Options{Channels: []string{"a", "b"}, Token: client.StaticToken("t0k"), Header: http.Header{"X-Test": {"yes"}}},
		func(v *visit) {
			if v.query.Encode() != "channel=a&channel=b" || v.bearer != "Bearer t0k" || v.r.Header.Get("X-Test") != "yes" {
				t.Errorf("asked for %q as %q", v.query, v.bearer)
			}
			v.upgrade()
			v.say(`{"type":"subscribed","channel":"a","id":"1-0-aaaaaa","recovered":true,"ref":7}`,
				`{"type":"event","channel":"a","id":"1-1-bbbbbb","event":"x","data":{"n": 1},"later":"field"}`,
				`{"type":"something new"}`)
			v.close(4403, "forbidden")
		})
	var types []string
	for _, f := range out.frames {
		types = append(types, f.Type)
	}
	if got := strings.Join(types, ","); got != "welcome,subscribed,event,something new" {
		t.Fatalf("frames %s", got)
	}
	sub, ev := out.frames[1], out.frames[2]
	if sub.Recovered == nil || !*sub.Recovered || string(sub.Ref) != "7" {
		t.Errorf("subscribed: %+v", sub)
	}
	if ev.Channel != "a" || ev.ID != "1-1-bbbbbb" || ev.Event != "x" || string(ev.Data) != `{"n": 1}` || !strings.Contains(string(ev.Raw), `"later"`) {
		t.Errorf("event: %+v", ev)
	}
}

func TestLeaving(t *testing.T) {
	var heard error
	out := follow(t, client.Options{}, func(v *visit) {
		v.upgrade()
		heard = v.stay()
	})
	if !errors.Is(out.err, errLeft) {
		t.Errorf("Subscribe: %v, want the context's cause", out.err)
	}
	if websocket.CloseStatus(heard) != websocket.StatusNormalClosure {
		t.Errorf("the relay heard %v, want a normal closure", heard)
	}
}

func TestLeavingWhileAway(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	err := client.Subscribe(ctx, client.Options{
		URL: "http://relay.test", Channels: []string{"a"},
		Token:   func(context.Context) (string, error) { return "", errors.New("no token today") },
		OnRetry: func(error, time.Duration) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Subscribe: %v", err)
	}
}

// The rules of the close codes: come back, later, with a fresh token, or not.
func TestCloseCodes(t *testing.T) {
	for _, tt := range []struct {
		code    int
		returns bool
		least   time.Duration
	}{
		{1001, true, 0},
		{1011, true, 0},
		{1012, true, 0},
		{4408, true, 0},
		{4999, true, 0},
		{4429, true, time.Second},
		{4503, true, time.Second},
		{1000, false, 0},
		{1009, false, 0},
		{4400, false, 0},
		{4401, false, 0},
		{4403, false, 0},
	} {
		t.Run(fmt.Sprint(tt.code), func(t *testing.T) {
			script := []func(*visit){func(v *visit) {
				v.upgrade()
				v.close(tt.code, "because")
			}}
			if tt.returns {
				script = append(script, func(v *visit) { v.upgrade(); _ = v.stay() })
			}
			out := follow(t, client.Options{Token: client.StaticToken("same")}, script...)
			err := out.err
			if tt.returns {
				if len(out.waits) != 1 || out.waits[0] < tt.least || out.waits[0] > tt.least+250*time.Millisecond {
					t.Errorf("waits %v, want %v and up to a quarter second", out.waits, tt.least)
				}
				err = out.why[0]
			}
			var refusal *client.Refusal
			if !errors.As(err, &refusal) || refusal.CloseCode != tt.code || refusal.Message != "because" {
				t.Errorf("the reason is %v", err)
			}
		})
	}
}

func TestRefusedHandshakes(t *testing.T) {
	const body = `{"title":"T","status":1,"code":"too_many","detail":"in words"}`
	for _, tt := range []struct {
		status  int
		returns bool
		least   time.Duration
		header  string
	}{
		{400, false, 0, ""},
		{401, false, 0, ""},
		{403, false, 0, ""},
		{404, false, 0, ""},
		{200, false, 0, ""},
		{429, true, time.Second, ""},
		{503, true, 7 * time.Second, "7"},
		{502, true, time.Second, ""},
		{503, true, 5 * time.Minute, "86400"},
	} {
		t.Run(fmt.Sprint(tt.status, tt.header), func(t *testing.T) {
			script := []func(*visit){func(v *visit) {
				v.w.Header().Set("Content-Type", "application/problem+json")
				if tt.header != "" {
					v.w.Header().Set("Retry-After", tt.header)
				}
				v.w.WriteHeader(tt.status)
				_, _ = v.w.Write([]byte(body))
			}}
			if tt.returns {
				script = append(script, func(v *visit) { v.upgrade(); _ = v.stay() })
			}
			out := follow(t, client.Options{}, script...)
			err := out.err
			if tt.returns {
				if len(out.waits) != 1 || out.waits[0] < tt.least || out.waits[0] > tt.least+250*time.Millisecond {
					t.Errorf("waits %v, want %v", out.waits, tt.least)
				}
				err = out.why[0]
			}
			var refusal *client.Refusal
			if !errors.As(err, &refusal) || refusal.Status != tt.status || refusal.Message != "in words" || refusal.Code != event.CodeTooMany {
				t.Errorf("the reason is %#v", err)
			}
		})
	}
}

// A message that came just before the close explains it; an old one does not.
func TestRefusalsExplainThemselves(t *testing.T) {
	const stale = `{"type":"error","code":"forbidden","message":"old news","channel":"b"}`
	for _, tt := range []struct {
		name   string
		frames []string
		want   string
		code   event.Code
	}{
		{"error frame", []string{stale, `{"type":"error","code":"token_expired","message":"the token expired"}`, `{"type":"goodbye","reason":"token_expired"}`}, "the token expired", event.CodeTokenExpired},
		{"goodbye", []string{stale, `{"type":"subscribed","channel":"a","id":"1-0-aaaaaa"}`, `{"type":"goodbye","reason":"disconnected","message":"you were logged out"}`}, "you were logged out", ""},
		{"close reason", []string{stale, `{"type":"subscribed","channel":"a","id":"1-0-aaaaaa"}`}, "short", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := follow(t, client.Options{}, func(v *visit) {
				v.upgrade()
				v.say(tt.frames...)
				v.close(4403, "short")
			})
			var refusal *client.Refusal
			if !errors.As(out.err, &refusal) || refusal.Message != tt.want || refusal.Code != tt.code {
				t.Errorf("got %#v", out.err)
			}
		})
	}
}

func TestResume(t *testing.T) {
	out := follow(t, client.Options{Channels: []string{"a", "b", "c"}},
		func(v *visit) {
			v.upgrade()
			v.say(`{"type":"subscribed","channel":"a","id":"1-0-aaaaaa"}`,
				`{"type":"subscribed","channel":"b","id":"1-5-aaaaaa"}`,
				`{"type":"error","code":"forbidden","message":"no","channel":"c"}`,
				`{"type":"event","channel":"a","id":"1-1-bbbbbb","event":"x","data":1}`,
				`{"type":"event","channel":"a","event":"not in history","data":1}`,
				`{"type":"reset","channel":"b","id":"2-9-cccccc","reason":"trimmed"}`)
			v.cut()
		},
		func(v *visit) {
			if got, want := v.query.Encode(), "channel=a&channel=b&resumes=c1&since=1-1-bbbbbb&since=2-9-cccccc"; got != want {
				t.Errorf("asked for %s, want %s", got, want)
			}
			v.upgrade()
			if got, want := v.hear(), `{"channel":"c","type":"subscribe"}`; got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
			v.say(`{"type":"subscribed","channel":"c","id":"3-0-dddddd"}`)
			v.cut()
		},
		func(v *visit) {
			if got, want := strings.Join(v.query["channel"], ","), "a,b,c"; got != want {
				t.Errorf("asked for %s, want %s", got, want)
			}
			v.upgrade()
			_ = v.stay()
		})
	if !errors.Is(out.err, errLeft) {
		t.Error(out.err)
	}
}

func TestGoodbyeSaysWhenToComeBack(t *testing.T) {
	out := follow(t, client.Options{},
		func(v *visit) {
			v.upgrade()
			v.say(`{"type":"goodbye","reason":"draining","reconnect_in_ms":1830}`)
			v.close(1001, "draining")
		},
		func(v *visit) {
			v.upgrade()
			v.say(`{"type":"goodbye","reason":"draining","reconnect_in_ms":99999999999}`)
			v.close(1001, "draining")
		},
		func(v *visit) { v.upgrade(); _ = v.stay() })
	if len(out.waits) != 2 || out.waits[0] != 1830*time.Millisecond || out.waits[1] != 5*time.Minute {
		t.Errorf("waits %v", out.waits)
	}
}

func TestWaitsGrow(t *testing.T) {
	fail := func(v *visit) { v.upgrade(); v.cut() }
	script := []func(*visit){fail, fail, fail, fail, fail, fail, fail, fail}
	script = append(script,
		func(v *visit) { // lives long enough to forget
			v.upgrade()
			time.Sleep(11 * time.Second)
			v.cut()
		},
		func(v *visit) { v.upgrade(); _ = v.stay() })
	out := follow(t, client.Options{}, script...)
	want := []int{250, 500, 1000, 2000, 4000, 8000, 10000, 10000, 250} // milliseconds at most
	if len(out.waits) != len(want) {
		t.Fatalf("waits %v", out.waits)
	}
	for i, n := range want {
		most := time.Duration(n) * time.Millisecond
		if out.waits[i] < most/2 || out.waits[i] > most {
			t.Errorf("wait %d is %v, want %v to %v", i, out.waits[i], most/2, most)
		}
	}
}

func TestFreshToken(t *testing.T) {
	expire := func(token string) func(*visit) {
		return func(v *visit) {
			if v.bearer != "Bearer "+token {
				t.Errorf("%q, want token %s", v.bearer, token)
			}
			v.upgrade()
			v.close(4401, "token_expired")
		}
	}
	tokens := []string{"one", "two", "two"}
	asked := 0
	out := follow(t, client.Options{Token: func(context.Context) (string, error) {
		asked++
		return tokens[asked-1], nil
	}}, expire("one"), expire("two"))
	var refusal *client.Refusal
	if !errors.As(out.err, &refusal) || refusal.CloseCode != 4401 {
		t.Errorf("got %v", out.err)
	}
	if asked != 3 {
		t.Errorf("asked for %d tokens", asked)
	}
}

func TestTokenThatCannotBeHad(t *testing.T) {
	asked := 0
	out := follow(t, client.Options{Token: func(context.Context) (string, error) {
		if asked++; asked == 1 {
			return "", errors.New("the app is away")
		}
		return "good", nil
	}}, func(v *visit) {
		if v.bearer != "Bearer good" {
			t.Errorf("came with %q", v.bearer)
		}
		v.upgrade()
		_ = v.stay()
	})
	if len(out.why) != 1 || !strings.Contains(out.why[0].Error(), "the app is away") {
		t.Errorf("retried because of %v", out.why)
	}
}

// A relay that vanished without closing is noticed; one that only pings is alive.
func TestSilence(t *testing.T) {
	out := follow(t, client.Options{},
		func(v *visit) {
			v.upgrade()
			ctx := v.conn.CloseRead(context.Background())
			for range 10 {
				time.Sleep(25 * time.Second)
				if err := v.conn.Ping(ctx); err != nil {
					t.Errorf("a pinged client left: %v", err)
				}
			}
			<-ctx.Done() // and now nothing any more
		},
		func(v *visit) {
			if v.after < 250*time.Second+65*time.Second || v.after > 320*time.Second {
				t.Errorf("came back after %v", v.after)
			}
			v.upgrade()
			_ = v.stay()
		})
	if len(out.why) != 1 || !strings.Contains(out.why[0].Error(), "silent") {
		t.Errorf("because of %v", out.why)
	}
}

func TestNoWelcome(t *testing.T) {
	out := follow(t, client.Options{},
		func(v *visit) { <-v.r.Context().Done() }, // not even an answer
		func(v *visit) { v.upgrade(); _ = v.stay() })
	if len(out.why) != 1 || out.visits[1].after < 15*time.Second {
		t.Errorf("came back because of %v", out.why)
	}
}

func TestOthersThanRelays(t *testing.T) {
	for name, say := range map[string]func(*visit){
		"not JSON":  func(v *visit) { v.say("hello") },
		"no type":   func(v *visit) { v.say(`{"a":1}`) },
		"an array":  func(v *visit) { v.say(`[]`) },
		"in binary": func(v *visit) { _ = v.conn.Write(context.Background(), 2, []byte("{}")) },
	} {
		out := follow(t, client.Options{}, func(v *visit) {
			v.upgrade()
			say(v)
			v.hear()
		})
		if out.err == nil || !strings.Contains(out.err.Error(), "no relay") {
			t.Errorf("%s: %v", name, out.err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]client.Options{
		"http://":               {URL: "localhost:8080", Channels: []string{"a"}},
		"scheme, host":          {URL: "http://localhost?x=1", Channels: []string{"a"}},
		"cannot be read":        {URL: "http://%zz", Channels: []string{"a"}},
		"no channel":            {URL: "http://localhost"},
		`channel "_x"`:          {URL: "http://localhost", Channels: []string{"a", "_x"}},
		`must not hold '*'`:     {URL: "http://localhost", Channels: []string{"a.*"}},
		"begin with http:// or": {URL: "ftp://localhost", Channels: []string{"a"}},
	} {
		if err := client.Subscribe(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}
