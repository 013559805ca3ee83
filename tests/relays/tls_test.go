package relays

import (
	"strings"
	"testing"

	"relay/tests/redistest"
	"relay/tests/relaytest"
)

// Redis behind TLS, with a certificate from an authority of one's own, which
// docs/running.md says how to name.
func TestRedisBehindTLS(t *testing.T) {
	authority := redistest.NewTLS(t)
	for name, server := range map[string]*redistest.Server{
		"standalone": redistest.StartTLS(t, authority),
		"Cluster":    redistest.StartTLSCluster(t, authority, 2).Nodes[0],
	} {
		t.Run(name, func(t *testing.T) {
			url := "RELAY_REDIS_URL=" + server.TLSURL()
			stranger := relaytest.Start(t, url)
			relaytest.Eventually(t, "a relay to refuse an authority it does not know", func() bool {
				return strings.Contains(stranger.Log(), "unknown authority")
			})
			if status := relaytest.Do(t, "GET", stranger.OpsURL+"/readyz", "").Status; status != 503 {
				t.Errorf("a relay that trusts nobody: ready with %d", status)
			}

			relay := relaytest.Start(t, url, "SSL_CERT_FILE="+authority.CA)
			awaitReady(t, relay)
			client := relay.WebSocket(t, "channel=a&channel=b&channel=c&channel=d")
			relaytest.Welcome(t, client, 4)
			for n, channel := range []string{"a", "b", "c", "d"} {
				id := relay.Publish(t, number(channel, n))[0]
				if f := relaytest.Expect(t, client, "event"); f.Channel != channel || f.ID != id {
					t.Errorf("published %s in %s, heard %+v", id, channel, f)
				}
			}
		})
	}
}
