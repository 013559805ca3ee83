package ws

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"relay/bus"
	"relay/event"
	"relay/hub"
	"relay/membus"
	"relay/transport/handshake"
	"relay/transport/socket"
)

// open connects a client with a session of a hub, without a door before it.
func open(t *testing.T) (*session, net.Conn) {
	t.Helper()
	mem := membus.New(bus.Everywhere(bus.Retention{Size: 10, TTL: time.Hour, PositionTTL: time.Hour}))
	t.Cleanup(mem.Close)
	h := hub.New(mem, hub.Options{})
	t.Cleanup(h.Close)
	loop, err := socket.NewLoop(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loop.Close)
	policy, err := handshake.New(handshake.Options{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	sessions := make(chan *session, 1)
	d := Handler(Options{Hub: h, Loop: loop, Policy: policy, MaxFrameBytes: 1 << 10, QueueBytes: 1 << 20}).(*door)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up, err := upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		s := &session{door: d}
		if s.sock, err = loop.Take(up.conn, d.sockets, s); err != nil {
			t.Error(err)
			return
		}
		s.sock.Send(nil, up.answer)
		s.serve(handshake.Access{}, handshake.Query{}, nil)
		sessions <- s
	}))
	t.Cleanup(server.Close)
	client, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	request := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := io.WriteString(client, request); err != nil {
		t.Fatal(err)
	}
	return <-sessions, client
}

// An event can come between the library's answer to a close frame and the hub's
// own close. It must not stand behind the close frame.
func TestNothingFollowsACloseFrame(t *testing.T) {
	for name, c := range map[string]struct {
		frame  []byte
		reason event.Reason
	}{
		"the client closes":             {closeFrame(4000, "bye"), event.ReasonClientClosed},
		"the client speaks no protocol": {closeFrame(1002, "no"), event.ReasonConnectionLost},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := open(t)
			s.answer(c.frame)
			s.conn.Pong() // what the hub says meanwhile
			s.conn.Close(c.reason, "")
			all, err := io.ReadAll(client)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(all); !strings.HasSuffix(text, string(c.frame)) || !strings.Contains(text, `{"type":"pong"}`) {
				t.Errorf("the client got %q", text)
			}
		})
	}
}
