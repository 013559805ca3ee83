package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// serveUnwatched serves one connection, whose other end it returns.
func serveUnwatched(t *testing.T, handler http.HandlerFunc) net.Conn {
	t.Helper()
	l := &handedListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	here, there := net.Pipe()
	l.conns <- there
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(unwatched{l}) // ends with the server
	}()
	t.Cleanup(func() {
		_ = server.Close()
		_ = here.Close()
		<-done
	})
	return here
}

// handedListener accepts what it is handed.
type handedListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *handedListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *handedListener) Addr() net.Addr { return &net.TCPAddr{} }

const twoRequests = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none" +
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nt\r\n2\r\nwo\r\n0\r\n\r\n"

// Requests are read whole, however they come: at once, and byte by byte while
// the one before is being served.
func TestUnwatchedRequestsAreWhole(t *testing.T) {
	for name, step := range map[string]int{"at once": len(twoRequests), "byte by byte": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := serveUnwatched(t, func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					synctest.Wait() // whatever reads ahead has done so
					_, _ = w.Write(body)
				})
				go func() {
					for rest := twoRequests; rest != ""; rest = rest[min(step, len(rest)):] {
						if _, err := conn.Write([]byte(rest[:min(step, len(rest))])); err != nil {
							t.Error(err)
							return
						}
					}
				}()
				answers := bufio.NewReader(conn)
				for _, want := range []string{"one", "two"} {
					answer, err := http.ReadResponse(answers, nil)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(answer.Body)
					if err != nil || string(body) != want {
						t.Errorf("answered %q, %v; want %q", body, err, want)
					}
				}
			})
		})
	}
}

// Nothing is read ahead, so a client that goes away takes nothing back.
func TestUnwatchedClientGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		var conn net.Conn
		conn = serveUnwatched(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = conn.Close()
			synctest.Wait()
			ended <- context.Cause(r.Context())
		})
		if _, err := io.Copy(conn, strings.NewReader("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none")); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the request was taken back: %v", err)
		}
	})
}
