package floor

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestCutRequest(t *testing.T) {
	get := "GET /v1/sse?channel=bench.1 HTTP/1.1\r\nHost: h\r\n\r\n"
	post := "POST /v1/events HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
	r, rest, ok := cutRequest([]byte(get + post))
	if !ok || r.post || !r.stream || r.channel != "bench.1" || string(rest) != post {
		t.Errorf("%+v, %q, %v", r, rest, ok)
	}
	r, rest, ok = cutRequest([]byte(post + get))
	if !ok || !r.post || string(r.body) != "body" || string(rest) != get {
		t.Errorf("%+v, %q, %v", r, rest, ok)
	}
	for _, part := range []string{"", "GET /", post[:len(post)-1]} {
		if _, rest, ok := cutRequest([]byte(part)); ok || string(rest) != part {
			t.Errorf("%q: %q, %v", part, rest, ok)
		}
	}
}

func TestCutEvent(t *testing.T) {
	one := `{"channel":"a","event":"bench","data":{"b":1}}`
	two := `{"channel":"b","event":"bench","data":{"b":2}}`
	for body, want := range map[string][]string{
		one:                         {`a "event":"bench","data":{"b":1}}`},
		"[" + one + "]":             {`a "event":"bench","data":{"b":1}}`},
		"[" + one + "," + two + "]": {`a "event":"bench","data":{"b":1}}`, `b "event":"bench","data":{"b":2}}`},
		"[]":                        nil,
		`{"channel":"a"}`:           nil,
	} {
		var got []string
		rest := []byte(body)
		for {
			channel, tail, more, ok := cutEvent(rest)
			if !ok {
				break
			}
			got, rest = append(got, string(channel)+" "+strings.TrimPrefix(string(tail), ",")), more
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestFrameIsAsLongAsTheRelays(t *testing.T) {
	topic := &topic{name: "bench.0", offset: 42}
	_, tail, _, _ := cutEvent([]byte(`{"channel":"bench.0","event":"bench","data":{"b":1}}`))
	text := topic.appendJSON(nil, tail)
	want := `{"type":"event","channel":"bench.0","id":"1795334400123-42-Xk3vQ9","event":"bench","data":{"b":1}}`
	if string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	if got := topic.appendMessage(nil, text); string(got) != "id: 1795334400123-42-Xk3vQ9\ndata: "+want+"\n\n" {
		t.Errorf("%s", got)
	}
	for size, head := range map[int]string{5: "\x81\x05", 200: "\x81\x7e\x00\xc8", 70_000: "\x81\x7f\x00\x00\x00\x00\x00\x01\x11\x70"} {
		if got := appendText(nil, bytes.Repeat([]byte("x"), size)); !strings.HasPrefix(string(got), head+"x") || len(got) != len(head)+size {
			t.Errorf("%d: %q", size, got[:12])
		}
	}
}
