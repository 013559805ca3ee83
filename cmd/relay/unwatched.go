package main

import "net"

// unwatched is a listener for requests that nobody takes back. While a request
// is served, net/http reads one byte ahead, in a goroutine of its own, to see
// whether the client goes away: that costs about as much as reading the
// request did, and a publish goes on anyway. Here that read finds nothing.
type unwatched struct{ net.Listener }

func (l unwatched) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &unwatchedConn{Conn: conn}, nil
}

type unwatchedConn struct {
	net.Conn
	ahead bool // the last read was the one ahead
}

// Read reads nothing, once, if it has room for one byte only. Whoever means it
// reads again.
func (c *unwatchedConn) Read(p []byte) (int, error) {
	if len(p) == 1 && !c.ahead {
		c.ahead = true
		return 0, nil
	}
	c.ahead = false
	return c.Conn.Read(p)
}
