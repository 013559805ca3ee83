package relaytest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// QuietAddr is a free address outside of the range from which the system takes
// ports for outgoing connections, so that it is still free after a restart.
func QuietAddr(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(15000+rand.IntN(15000))))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	tb.Fatal("no free port between 15000 and 30000")
	return ""
}
