package ws

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// transcript is a client that notes what the library says to it.
type transcript struct{ strings.Builder }

func (t *transcript) answer(frame []byte) {
	if frame[0] == finBit|opClose && len(frame) >= 4 {
		fmt.Fprintf(t, "close %d\n", binary.BigEndian.Uint16(frame[2:]))
		return
	}
	fmt.Fprintf(t, "answer %x\n", frame)
}

func (t *transcript) pinged() bool {
	t.WriteString("pinged\n")
	return true
}

const testLimit = 1000

// readAll reads a stream of units as a session does, to its end or the first error.
func readAll(p *protocols, deflate bool, stream []byte) string {
	var t transcript
	for len(stream) > 0 {
		size, _, err := nextUnit(stream, testLimit)
		if size == 0 || err != nil {
			fmt.Fprintf(&t, "%d bytes left, %v\n", len(stream), err)
			break
		}
		err = p.read(&t, deflate, testLimit, stream[:size], func(kind websocket.MessageType, text []byte) {
			fmt.Fprintf(&t, "%v %q\n", kind, text)
		})
		if err != nil {
			fmt.Fprintf(&t, "error, status %v\n", websocket.CloseStatus(err))
			break
		}
		stream = stream[size:]
	}
	return t.String()
}

func TestProtocol(t *testing.T) {
	small := deflated([]byte(strings.Repeat("again and ", 60)))[maxHeader:]
	bomb := deflated([]byte(strings.Repeat("again and ", 200)))[maxHeader:]
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"a message":          {clientFrame(finBit|opText, "hello"), "MessageText \"hello\"\n"},
		"an empty one":       {clientFrame(finBit|opText, ""), "MessageText \"\"\n"},
		"fragments":          {join(clientFrame(opText, "he"), clientFrame(finBit|opPing, "x"), clientFrame(finBit|opContinuation, "llo")), "pinged\nanswer 8a0178\nMessageText \"hello\"\n"},
		"pings and pongs":    {join(clientFrame(finBit|opPing, ""), clientFrame(finBit|opPong, "?"), clientFrame(finBit|opPing, "a")), "pinged\nanswer 8a00\npinged\nanswer 8a0161\n"},
		"a close":            {clientFrame(finBit|opClose, "\x03\xe8bye"), "close 1000\nerror, status StatusNormalClosure\n"},
		"no mask":            {[]byte{finBit | opText, 1, 'x'}, "error, status StatusCode(-1)\n"},
		"an unknown opcode":  {clientFrame(finBit|3, ""), "close 1002\nerror, status StatusCode(-1)\n"},
		"a lone end":         {clientFrame(finBit|opContinuation, ""), "close 1002\nerror, status StatusCode(-1)\n"},
		"compressed":         {clientFrame(finBit|deflatedBit|opText, string(small)), "MessageText \"" + strings.Repeat("again and ", 60) + "\"\n"},
		"too big underneath": {clientFrame(finBit|deflatedBit|opText, string(bomb)), "error, status StatusCode(-1)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readAll(new(protocols), true, c.in); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// Clients share protocols: whatever one has sent, the next is read as if
// nobody had been there before.
func FuzzProtocolsAreForgetful(f *testing.F) {
	small := string(deflated([]byte(strings.Repeat("again and ", 60)))[maxHeader:])
	hello := clientFrame(finBit|opText, "hello")
	for _, stranger := range [][]byte{
		hello,
		clientFrame(finBit|opPing, "?"),
		clientFrame(finBit|deflatedBit|opText, small),
		clientFrame(finBit|deflatedBit|opText, small+"trailing"),
		clientFrame(finBit|deflatedBit|opText, small[:4]),
		join(clientFrame(deflatedBit|opText, small[:5]), clientFrame(finBit|opContinuation, small[5:])),
		join(clientFrame(opText, "he"), clientFrame(finBit|opClose, "")),
		clientFrame(finBit|opClose, "\x03\xe8"),
		{finBit | opText, 1, 'x'},
	} {
		f.Add(stranger, hello, true)
		f.Add(stranger, clientFrame(finBit|deflatedBit|opText, small), true)
		f.Add(stranger, hello, false)
	}
	f.Fuzz(func(t *testing.T, stranger, stream []byte, deflate bool) {
		shared := new(protocols)
		readAll(shared, deflate, stranger)
		got, want := readAll(shared, deflate, stream), readAll(new(protocols), deflate, stream)
		if got != want {
			t.Errorf("after a stranger: %q\nalone: %q", got, want)
		}
	})
}
