package load

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"testing"

	"relay/bench/measure"
)

// deflate compresses a message as a server does that keeps nothing of the one
// before.
func deflate(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func TestInflate(t *testing.T) {
	f := newInflater()
	for range 2 { // the second time what was inflated lately is known
		for _, text := range []string{"", "a", strings.Repeat("again and ", 1000), string(appendEvent(nil, "c", stamp{number: 7}, 4000))} {
			if got, err := f.inflate([]byte(deflate(t, text))); err != nil || string(got) != text {
				t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
			}
		}
	}
	if _, err := f.inflate([]byte("\xff\xff\xff")); !errors.Is(err, errNotInflated) {
		t.Errorf("nonsense: %v", err)
	}
	if _, err := f.inflate([]byte(deflate(t, strings.Repeat("x", maxFrame+1)))); !errors.Is(err, errFrameTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// A thousand clients get the same bytes; only the first costs anything.
func TestInflatingAgainAllocatesNothing(t *testing.T) {
	f := newInflater()
	small := []byte(deflate(t, string(appendEvent(nil, "c", stamp{}, 1024))))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := f.inflate(small); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// The words of events shrink as people's data does, and no more.
func TestFillingShrinks(t *testing.T) {
	event := string(appendEvent(nil, "c", stamp{number: 3}, 1024))
	if share := float64(len(deflate(t, event))) / float64(len(event)); share < 0.3 || share > 0.75 {
		t.Errorf("an event shrinks to %.2f", share)
	}
}

func TestCompressedEvents(t *testing.T) {
	answer := "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + handshakeAnswer + "\r\n"
	c := newTestClient(WebSocket)
	c.inflater = newInflater()
	if _, _, err := feed(c, []byte(answer+"\r\n"), nil); err == nil || !strings.Contains(err.Error(), "does not compress") {
		t.Errorf("a relay that does not compress: %v", err)
	}
	c = newTestClient(WebSocket)
	c.inflater = newInflater()
	all := answer + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n"
	all += textFrame(opText, `{"type":"subscribed","channel":"c","id":"1-0-aaaaaa"}`)
	for n := range uint64(3) {
		posted := string(appendEvent(nil, "c", stamp{number: n, sent: 1}, 1024))
		all += textFrame(deflatedBit|opText, deflate(t, `{"type":"event","channel":"c","id":"1-1-aaaaaa",`+posted[strings.Index(posted, `"event"`):]))
	}
	tally, _, err := feed(c, []byte(all), bytes.Repeat([]byte{100}, 50))
	if err != nil || tally.Deliveries != 3 || tally.Compressed != 3 || tally.Order != (measure.Order{}) || !c.live {
		t.Errorf("%+v, %v", tally, err)
	}
	if _, _, err := feed(c, []byte(textFrame(deflatedBit|opPing, "")), nil); !errors.Is(err, errStrangeFrame) {
		t.Errorf("a compressed ping: %v", err)
	}
}
