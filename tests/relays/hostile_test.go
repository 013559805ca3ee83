package relays

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"relay/tests/relaytest"
)

// A stranger may not hold a connection with a request that never ends.
func TestUnfinishedRequestsAreCut(t *testing.T) {
	r := relaytest.Start(t)
	for name, c := range map[string]struct{ url, request string }{
		"body to a door":        {r.PublicURL, "GET /v1/sse?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"},
		"body to nowhere":       {r.PublicURL, "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"},
		"body to the console":   {r.PublicURL, "POST /console/events HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Length: 1000\r\n\r\nx"},
		"chunks to the console": {r.PublicURL, "POST /console/events HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"},
		"body to ops":           {r.OpsURL, "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"},
		"headers to public":     {r.PublicURL, "GET / HTTP/1.1\r\nHost: local"},
		"headers to ops":        {r.OpsURL, "GET / HTTP/1.1\r\nHost: local"},
		"headers to api":        {r.APIURL, "GET / HTTP/1.1\r\nHost: local"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, c.url)
			if _, err := conn.Write([]byte(c.request)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			for {
				if _, err := in.ReadByte(); err != nil {
					if errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("still open after %v", relaytest.Patience)
					}
					return
				}
			}
		})
	}
}

func TestConsoleTakesEventsFromThisMachineOnly(t *testing.T) {
	r := relaytest.Start(t)
	post := func(r *relaytest.Relay, headers ...string) int {
		return relaytest.Do(t, "POST", r.PublicURL+"/console/events", number("a", 1), headers...).Status
	}
	own := "Origin: " + r.PublicURL
	if got := post(r, own); got != http.StatusOK {
		t.Errorf("from the page: %d", got)
	}
	for _, header := range []string{"X-Forwarded-For: 203.0.113.9", "Via: 1.1 proxy", "Forwarded: for=203.0.113.9", "X-Real-Ip: 203.0.113.9", "Host: evil.example"} {
		if got := post(r, own, header); got != http.StatusForbidden {
			t.Errorf("with %s: %d", header, got)
		}
	}
	// A relay that was set up for others may have a proxy in front that shows nothing.
	for env, want := range map[string]int{
		"RELAY_JWT_SECRET=" + secret: http.StatusNotFound, "RELAY_PUBLIC_CHANNELS=a": http.StatusNotFound,
		"RELAY_OPEN=true": http.StatusNotFound, "RELAY_CONSOLE=false": http.StatusNotFound,
	} {
		other := relaytest.Start(t, env, "RELAY_OPS_ADDR=127.0.0.1:0")
		if got := post(other, "Origin: "+other.PublicURL); got != want {
			t.Errorf("with %s: %d, want %d", env, got, want)
		}
	}
	asked := relaytest.Start(t, "RELAY_JWT_SECRET="+secret, "RELAY_CONSOLE=true")
	if got := post(asked, "Origin: "+asked.PublicURL); got != http.StatusOK {
		t.Errorf("when asked for: %d", got)
	}
}

func TestForeignHosts(t *testing.T) {
	r := relaytest.Start(t)
	for _, url := range []string{r.OpsURL + "/metrics", r.OpsURL + "/readyz", r.PublicURL + "/", r.PublicURL + "/console/config.json", r.APIURL + "/v1/channels/a"} {
		if a := relaytest.Do(t, "GET", url, "", "Host: evil.example"); a.Status != http.StatusForbidden || !strings.Contains(a.Body, "host_forbidden") {
			t.Errorf("%s for another host: %d %s", url, a.Status, a.Body)
		}
	}
	for method, want := range map[string]int{"HEAD": http.StatusOK, "POST": http.StatusMethodNotAllowed} {
		if a := relaytest.Do(t, method, r.OpsURL+"/livez", ""); a.Status != want {
			t.Errorf("%s /livez: %d", method, a.Status)
		}
	}
}

// What WebSocket calls control frames costs as much as any other. A single pong
// may come unasked (RFC 6455, section 5.5.3), and a client sends one for each ping.
func TestControlFrameFlood(t *testing.T) {
	r := relaytest.Start(t)
	for name, frame := range map[string]string{"pings": "\x89\x80\x00\x00\x00\x00", "pongs": "\x8a\x80\x00\x00\x00\x00"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, r.PublicURL)
			if _, err := io.WriteString(conn, upgrade("channel=a")+strings.Repeat(frame, 5000)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("the handshake: %v, %v", res, err)
			}
			for {
				opcode, payload := readFrame(t, in)
				if opcode != 0x8 {
					continue
				}
				if code := binary.BigEndian.Uint16(payload); code != 4429 {
					t.Errorf("closed with %d %q", code, payload[2:])
				}
				return
			}
		})
	}
}

// Who goes on sending behind the request for a stream is no EventSource.
func TestNoiseBehindAStream(t *testing.T) {
	r := relaytest.Start(t)
	conn := dial(t, r.PublicURL)
	if _, err := io.WriteString(conn, "GET /v1/sse?channel=a HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the stream: %v, %v", res, err)
	}
	if _, err := conn.Write(make([]byte, 64<<10)); err == nil { // else it was cut while we wrote
		_, err = io.Copy(io.Discard, in)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the stream goes on")
		}
	}
	relaytest.Eventually(t, "the connection to be forgotten", func() bool {
		return strings.Contains(relaytest.Do(t, "GET", r.OpsURL+"/metrics", "").Body, `relay_connections_closed_total{reason="connection_lost",transport="sse"} 1`)
	})
}

// dial connects to the address of a URL, for the time of a test's patience.
func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(relaytest.Patience))
	return conn
}

// upgrade is a WebSocket handshake, for connections without a client.
func upgrade(query string) string {
	return "GET /v1/ws?" + query + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// readFrame reads one short frame of a server.
func readFrame(t *testing.T, in *bufio.Reader) (opcode byte, payload []byte) {
	t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(in, head); err != nil {
		t.Fatal(err)
	}
	size := int(head[1])
	if size == 126 {
		long := make([]byte, 2)
		if _, err := io.ReadFull(in, long); err != nil {
			t.Fatal(err)
		}
		size = int(binary.BigEndian.Uint16(long))
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(in, payload); err != nil {
		t.Fatal(err)
	}
	return head[0] & 0xF, payload
}

// A message must come to an end: neither a byte a second nor empty fragments
// without end keep a goroutine busy for ever.
func TestUnfinishedMessageIsCut(t *testing.T) {
	r := relaytest.Start(t)
	c := r.WebSocket(t, "channel=a")
	relaytest.Welcome(t, c, 1)
	ctx, cancel := context.WithTimeout(t.Context(), relaytest.Patience)
	defer cancel()
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for ctx.Err() == nil {
			if _, err := w.Write([]byte(" ")); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	// In its time, or when its fragments take more room than it may.
	if code, _ := c.Closed(t); ctx.Err() != nil {
		t.Errorf("the relay is still waiting for the rest (code %d)", code)
	}
}

func TestRefusedClientsAreBounded(t *testing.T) {
	r := relaytest.Start(t, "RELAY_JWT_SECRET="+secret)
	upgraded, refused := 0, 0
	for range 300 {
		conn := dial(t, r.PublicURL)
		if _, err := io.WriteString(conn, upgrade("channel=a&token=bad")); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		switch res.StatusCode {
		case http.StatusSwitchingProtocols:
			upgraded++
		case http.StatusUnauthorized:
			refused++
		default:
			t.Errorf("status %d", res.StatusCode)
		}
	}
	if upgraded == 0 || upgraded+refused != 300 {
		t.Errorf("%d upgraded, %d refused before", upgraded, refused)
	}
	t.Logf("%d of 300 refused clients were upgraded first", upgraded)
}
