package redistest

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a group of servers may take to agree on something.
const patience = time.Minute

// await polls until ok, which must not fail the test itself.
func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("waited %v for Redis: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// says reports whether a server's bulk reply holds every text.
func (s *Server) says(command string, texts ...string) bool {
	reply, err := s.Text(strings.Fields(command)...)
	if err != nil {
		return false
	}
	for _, text := range texts {
		if !strings.Contains(reply, text) {
			return false
		}
	}
	return true
}

// Pause stops the server's process (SIGSTOP): its connections stay open and
// nothing answers, until Resume.
func (s *Server) Pause() { s.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.Signal(syscall.SIGCONT) }

func (s *Server) port() string { return s.Addr[strings.LastIndexByte(s.Addr, ':')+1:] }

// urls names several servers in one URL.
func urls(servers []*Server, query ...string) string {
	for _, s := range servers[1:] {
		query = append(query, "addr="+s.Addr)
	}
	return "redis://" + servers[0].Addr + "?" + strings.Join(query, "&")
}
