// Package monitoring holds what the relay tells Prometheus against Prometheus
// itself: Debian's package lints the names, tests the alert rules, and scrapes
// a relay that serves clients.
package monitoring

import (
	"testing"

	"relay/tests/redistest"
	"relay/tests/relaytest"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

const maxConnections = "1234"

// startRelay runs a relay on a Redis of its own, which it hears.
func startRelay(t *testing.T) *relaytest.Relay {
	t.Helper()
	r := relaytest.Start(t, "RELAY_REDIS_URL="+redistest.Start(t).URL(), "RELAY_MAX_CONNECTIONS="+maxConnections)
	relaytest.Eventually(t, "a relay that hears itself", func() bool {
		return read(t, r).value("relay_bus_healthy") == "1"
	})
	return r
}
