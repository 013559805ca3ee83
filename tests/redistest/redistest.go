// Package redistest starts real Redis servers for tests, each on a free port
// and without a file on disk that outlives the test.
package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Server is one redis-server process.
type Server struct {
	Addr string

	tls    string // address; empty for none
	tb     testing.TB
	config string // file; empty for none
	args   []string
	env    []string // besides the test's own
	cmd    *exec.Cmd
}

// Start runs redis-server with extra arguments ("--maxmemory", "1mb") until
// the test ends.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return (&Server{Addr: FreeAddr(tb), tb: tb, args: args}).start()
}

// start starts a server for the first time, until the test ends.
func (s *Server) start() *Server {
	s.tb.Helper()
	s.Restart()
	s.tb.Cleanup(s.Stop)
	return s
}

// URL is the server's address as RELAY_REDIS_URL takes it.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Restart starts the server again on its old port, with nothing in it.
func (s *Server) Restart() {
	s.tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.tb.Fatal("redis-server is not installed; `make setup` installs it")
	}
	_, port, _ := net.SplitHostPort(s.Addr)
	args := []string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", s.tb.TempDir(), "--daemonize", "no",
	}
	if s.config != "" {
		args = append([]string{s.config}, args...)
	}
	cmd := exec.Command(path, append(args, s.args...)...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), s.env...)
	if err := cmd.Start(); err != nil {
		s.tb.Fatalf("redis-server: %v", err)
	}
	s.cmd = cmd
	s.await()
}

// await returns when the server answers; one with a password answers, too.
func (s *Server) await() {
	s.tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if reply, err := s.Try("PING"); err == nil && (reply == "+PONG" || strings.HasPrefix(reply, "-NOAUTH")) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.tb.Fatalf("redis-server on %s did not answer in 30 s", s.Addr)
}

// Stop kills the server and waits for its end.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Signal sends the server a signal (SIGSTOP, SIGCONT).
func (s *Server) Signal(sig os.Signal) {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatalf("redis-server: %v", err)
	}
}

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Running reports whether the server was started and not stopped.
func (s *Server) Running() bool { return s.cmd != nil }

// Do sends one command over a connection of its own and returns the first
// line of the reply, as on the wire (or, for a bulk string, its first line).
func (s *Server) Do(args ...string) string {
	s.tb.Helper()
	reply, err := s.Try(args...)
	if err != nil {
		s.tb.Fatalf("redis %v: %v", args, err)
	}
	return reply
}

// Try is Do for a server that may not answer.
func (s *Server) Try(args ...string) (string, error) {
	conn, r, err := s.send(10*time.Second, args)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	line, err := readLine(r)
	if err == nil && strings.HasPrefix(line, "$") && line != "$-1" {
		return readLine(r)
	}
	return line, err
}

// Text is Try for all lines of a bulk string, or of the first one in an array
// (empty for an empty array).
func (s *Server) Text(args ...string) (string, error) {
	conn, r, err := s.send(2*time.Second, args)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	line, err := readLine(r)
	if err == nil && strings.HasPrefix(line, "*") && line != "*0" {
		line, err = readLine(r)
	}
	if err != nil || line == "*0" {
		return "", err
	}
	size, isBulk := strings.CutPrefix(line, "$")
	n, err := strconv.Atoi(size)
	if !isBulk || err != nil || n < 0 {
		return "", fmt.Errorf("redis %v: %s", args, line)
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return string(text), err
}

// send opens a connection and sends one command.
func (s *Server) send(patience time.Duration, args []string) (net.Conn, *bufio.Reader, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, patience)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := conn.Write([]byte(b.String())); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, bufio.NewReader(conn), nil
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// FreeAddr is a loopback address on which nothing listens.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
