package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"relay/bench/measure"
)

func TestEventIsJSONOfTheRightSize(t *testing.T) {
	for _, size := range []int{MinData, MinData + 1, 128, 5000} {
		want := stamp{lane: 31, number: 123456, sent: 1795334400123456789}
		text := appendEvent(nil, "bench.1-2.77", want, size)
		var e struct {
			Channel, Event string
			Data           json.RawMessage
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if e.Channel != "bench.1-2.77" || e.Event != EventName || len(e.Data) != size || !json.Valid(e.Data) {
			t.Errorf("%d bytes of data, want %d: %s", len(e.Data), size, text)
		}
		if got, ok := readStamp(text); !ok || got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestStrangeStamps(t *testing.T) {
	for _, frame := range []string{
		"", `{"type":"event"}`, `{"data":{"b":"0001 0000`,
		`{"data":{"b":"000x 000000000001 0000000000000000001","p":""}}`,
	} {
		if s, ok := readStamp([]byte(frame)); ok {
			t.Errorf("%s is %+v", frame, s)
		}
	}
}

// textFrame is a WebSocket frame as a server writes it.
func textFrame(opcode byte, payload string) string {
	b := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = append(b, 126, byte(n>>8), byte(n))
	default:
		b = append(b, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return string(b) + payload
}

func TestCutFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, maxFrame} {
		whole := textFrame(opText, strings.Repeat("x", size)) + "rest"
		f, rest, ok, err := cutFrame([]byte(whole), false)
		if err != nil || !ok || f.opcode != opText || len(f.payload) != size || string(rest) != "rest" {
			t.Errorf("%d: %d bytes, rest %.10q, %v, %v", size, len(f.payload), rest, ok, err)
		}
		if _, rest, ok, err := cutFrame([]byte(whole[:len(whole)-5]), false); ok || err != nil || size > 0 && len(rest) != len(whole)-5 {
			t.Errorf("%d: a frame without its last byte is %v, %v", size, ok, err)
		}
	}
	for name, b := range map[string]string{
		"a fragment": "\x01\x00", "compressed": "\xc1\x00", "masked": "\x81\x80\x00\x00\x00\x00",
		"endless": "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		if _, _, ok, err := cutFrame([]byte(b), false); ok || err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func newTestClient(transport Transport) *client {
	o := &CrowdOptions{Transport: transport}
	return &client{channel: newChannel(0, "c", o, endpoint{host: "h"}), transport: transport, order: make([]measure.Sequence, 2)}
}

// wire is what a relay sends a client: two events on each of two lanes, one of
// another channel, pings.
func wire(transport Transport) []byte {
	frames := []string{`{"type":"welcome","connection":"x"}`, `{"type":"subscribed","channel":"c","id":"1-0-aaaaaa"}`}
	for _, s := range []stamp{{0, 0, 1}, {1, 0, 2}, {0, 1, 3}, {1, 1, 4}} {
		posted := string(appendEvent(nil, "c", s, 200))
		frames = append(frames, `{"type":"event","channel":"c","id":"1-1-aaaaaa",`+posted[strings.Index(posted, `"event"`):])
	}
	frames = append(frames, `{"type":"event","channel":"d","id":"1-1-aaaaaa","event":"bench","data":1}`)
	var b bytes.Buffer
	if transport == WebSocket {
		b.WriteString("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + handshakeAnswer + "\r\n\r\n")
		for _, f := range frames {
			b.WriteString(textFrame(opText, f) + textFrame(opPing, "p"))
		}
		return b.Bytes()
	}
	b.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	w := httputil.NewChunkedWriter(&b)
	for i, f := range frames {
		fmt.Fprintf(w, "id: %d\ndata: %s\n\n:\n\n", i, f)
	}
	return b.Bytes()
}

// feed gives a client what was sent in pieces of these sizes, and the rest.
func feed(c *client, all []byte, sizes []byte) (Tally, []byte, error) {
	var t Tally
	var replies []byte
	for i := 0; len(all) > 0; i++ {
		n := len(all)
		if i < len(sizes) {
			n = min(n, int(sizes[i])+1)
		}
		b := append(bytes.Clone(c.partial), all[:n]...)
		all = all[n:]
		reply, err := c.receive(b, n, 1000, &t)
		replies = append(replies, reply...)
		if err != nil {
			return t, replies, err
		}
	}
	return t, replies, nil
}

func FuzzPiecesMakeNoDifference(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add([]byte{0, 0, 0, 0}, false)
	f.Add(bytes.Repeat([]byte{0}, 3000), true)
	f.Add(bytes.Repeat([]byte{0}, 3000), false)
	f.Add(bytes.Repeat([]byte{76, 3, 200}, 20), false)
	f.Fuzz(func(t *testing.T, sizes []byte, socket bool) {
		transport := EventStream
		if socket {
			transport = WebSocket
		}
		c := newTestClient(transport)
		tally, replies, err := feed(c, wire(transport), sizes)
		if err != nil {
			t.Fatal(err)
		}
		if tally.Deliveries != 4 || tally.Strangers != 1 || tally.Pings != 7 || !c.live || len(c.partial) != 0 || tally.Order != (measure.Order{}) {
			t.Errorf("%+v, live %v, %d bytes kept", tally, c.live, len(c.partial))
		}
		if got := tally.Latency.Percentile(0); got != 996*time.Nanosecond {
			t.Errorf("the quickest took %v", got)
		}
		if socket != (len(replies) == 7*7) {
			t.Errorf("%d bytes of pongs", len(replies))
		}
	})
}

// Whatever comes, a client neither panics nor keeps more than it may.
func FuzzClient(f *testing.F) {
	f.Add(wire(WebSocket), []byte{7}, true)
	f.Add(wire(EventStream), []byte{7}, false)
	f.Add([]byte("HTTP/1.1 404 Not Found\r\n\r\nno"), []byte{}, false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n"), []byte{}, false)
	f.Fuzz(func(t *testing.T, all, sizes []byte, socket bool) {
		transport := EventStream
		if socket {
			transport = WebSocket
		}
		c := newTestClient(transport)
		tally, _, _ := feed(c, all, sizes)
		if int(tally.Deliveries)*stampBytes > len(all) || len(c.partial) > len(all) {
			t.Errorf("%d deliveries and %d bytes kept of %d", tally.Deliveries, len(c.partial), len(all))
		}
	})
}

func TestRefusals(t *testing.T) {
	ok := "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + handshakeAnswer + "\r\n\r\n"
	for sent, want := range map[string]string{
		"HTTP/1.1 401 Unauthorized\r\n\r\nwho are you":                               "401 Unauthorized who are you",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n":                                   "wrong key",
		ok + textFrame(opClose, "\x11\x31token_missing"):                             "4401 token_missing",
		ok + textFrame(opClose, ""):                                                  "closed the connection",
		ok + textFrame(opText, `{"type":"error","code":"forbidden","message":"no"}`): "no (forbidden)",
		ok + textFrame(opText, `{"type":"goodbye","reason":"draining"}`):             "goodbye: draining",
		ok + textFrame(opText, `hello`):                                              "not JSON",
	} {
		if _, _, err := feed(newTestClient(WebSocket), []byte(sent), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", sent, err, want)
		}
	}
	end := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	if _, _, err := feed(newTestClient(EventStream), []byte(end), nil); err == nil || !strings.Contains(err.Error(), "ended the stream") {
		t.Errorf("the end of a stream: %v", err)
	}
}

func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), 3)
	f.Add([]byte("5;x=y\r\nhello\r\nA\r\n0123456789\r\n"), 1)
	f.Add([]byte("x"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		whole, pieces := new(chunks), new(chunks)
		want, err1 := whole.strip(bytes.Clone(b))
		at := min(max(cut, 0), len(b))
		got, err2 := pieces.strip(bytes.Clone(b[:at]))
		if err2 == nil {
			var more []byte
			more, err2 = pieces.strip(bytes.Clone(b[at:]))
			got = append(bytes.Clone(got), more...)
		}
		if !bytes.Equal(want, got) || (err1 == nil) != (err2 == nil) {
			t.Errorf("%q and %q, %v and %v", want, got, err1, err2)
		}
	})
}

// The standard library's coding is understood.
func TestChunksOfTheStandardLibrary(t *testing.T) {
	var b bytes.Buffer
	w := httputil.NewChunkedWriter(&b)
	want := ""
	for i := range 300 {
		text := strings.Repeat("y", i*7%1000)
		want += text
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := new(chunks).strip(b.Bytes())
	if err != nil || string(got) != want {
		t.Errorf("%d bytes, want %d, %v", len(got), len(want), err)
	}
}
