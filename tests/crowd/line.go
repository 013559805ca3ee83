package crowd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// line is a client's TCP connection: one buffer and no goroutine of its own,
// so that thousands fit beside the relays that they test.
type line struct {
	net.Conn
	in   *bufio.Reader
	stop func() bool
}

const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 30 * time.Second // until the status
	// silence is how long a stream may say nothing; the relay pings every 25 s.
	silence = 80 * time.Second
)

// dial connects until ctx ends.
func dial(ctx context.Context, addr string) (*line, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{Enable: false}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &line{conn, bufio.NewReaderSize(conn, 1024), stop}, nil
}

func (l *line) close() {
	l.stop()
	_ = l.Close()
}

// get asks for a path and returns the answer, if its status is the one hoped
// for. patience is for the status.
func (l *line) get(host, path, headers string, status int, patience time.Duration) (*http.Response, error) {
	_ = l.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(l, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, host, headers); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(l.in, &http.Request{Method: http.MethodGet})
	if err != nil {
		if err = endOf(err); errors.Is(err, errEnded) {
			err = errUnanswered
		}
		return nil, err
	}
	if res.StatusCode != status {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10)) // the status says enough
		return nil, &refusedError{fmt.Sprintf("%s %.80s", res.Status, text)}
	}
	return res, nil
}

// endOf gives the ends of a connection few names, so that they can be counted.
func endOf(err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errEnded
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	}
	return err
}

var (
	errUnanswered = errors.New("the connection ended before an answer")
	errEnded      = errors.New("the connection ended without a word")
	errSilent     = errors.New("the relay said nothing for too long")
)
