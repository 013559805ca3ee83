package socket

import (
	"bytes"
	"net"
	"net/http"
	"time"
)

// Hijack takes the connection of an HTTP request away from its server, with
// what the client has sent behind the request. It has no deadline any more.
func Hijack(w http.ResponseWriter) (conn net.Conn, early []byte, err error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		there, _ := buffered.Reader.Peek(n)
		early = bytes.Clone(there)
	}
	return conn, early, conn.SetDeadline(time.Time{})
}
