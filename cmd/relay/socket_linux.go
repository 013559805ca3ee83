package main

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// deadAfter is how long what was sent to a client may go unacknowledged. On a
// WebSocket a missing pong shows a peer that is gone without a word; an
// EventSource never answers, and the system by itself would try for a quarter
// of an hour.
const deadAfter = 50 * time.Second

// clientSockets says how clients' connections are made. Every one is pinged,
// or may idle for two minutes at most: the system need not probe it besides.
func clientSockets() net.ListenConfig {
	return net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, conn syscall.RawConn) error {
		var err error
		// Connections inherit it from the socket that listens.
		if failed := conn.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds()))
		}); failed != nil {
			return failed
		}
		return err
	}}
}
