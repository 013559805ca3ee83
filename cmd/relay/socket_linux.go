package main

import (
	"errors"
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

// sendBuffer bounds what the system holds for a client. Left to itself it keeps
// megabytes for one that does not read, beside what the relay queues, and the
// client is known as slow that much later. (The system doubles the number, for
// its own bookkeeping.)
const sendBuffer = 64 << 10

// clientSockets says how clients' connections are made. Every one is pinged,
// or may idle for two minutes at most: the system need not probe it besides.
func clientSockets() net.ListenConfig {
	return net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, conn syscall.RawConn) error {
		var err error
		// Connections inherit it from the socket that listens.
		if failed := conn.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds())),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer))
		}); failed != nil {
			return failed
		}
		return err
	}}
}
