package ws

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"relay/transport/socket"
)

// upgraded is what a handshake leaves: the connection, what the client sent
// behind its request, the answer to it, and whether messages may be compressed.
type upgraded struct {
	conn    net.Conn
	early   []byte
	answer  []byte
	deflate bool
}

// upgrade lets the library shake hands, and keeps the connection for the door:
// the library gets one that is already over. An error has been answered.
func upgrade(w http.ResponseWriter, r *http.Request) (upgraded, error) {
	t := &takeover{ResponseWriter: w}
	ws, err := websocket.Accept(t, r, &websocket.AcceptOptions{
		// The policy has checked the origin, by rules the library does not know.
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionNoContextTakeover,
	})
	if err != nil {
		if t.conn != nil {
			_ = t.conn.Close()
		}
		return upgraded{}, err
	}
	_ = ws.CloseNow() // it holds nothing; protocol reads for the client
	extensions := w.Header().Get("Sec-WebSocket-Extensions")
	return upgraded{t.conn, t.early, answer(w.Header()), strings.Contains(extensions, "permessage-deflate")}, nil
}

// answer is the response to a handshake.
func answer(h http.Header) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = h.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// takeover keeps the connection that the library asks for, and its answer
// back: it leaves in one piece with the first frames.
type takeover struct {
	http.ResponseWriter
	conn  net.Conn
	early []byte
}

// WriteHeader implements http.ResponseWriter.
func (t *takeover) WriteHeader(status int) {
	if status != http.StatusSwitchingProtocols {
		t.ResponseWriter.WriteHeader(status)
	}
}

// Hijack implements http.Hijacker.
func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	var err error
	if t.conn, t.early, err = socket.Hijack(t.ResponseWriter); err != nil {
		return nil, nil, err
	}
	over := lent{&protocol{}}
	return over, bufio.NewReadWriter(bufio.NewReaderSize(over, 0), bufio.NewWriterSize(over, 0)), nil
}
