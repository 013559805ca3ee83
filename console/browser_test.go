package console_test

import (
	"os"
	"testing"

	"relay/console"
	"relay/tests/browsertest"
)

// chromium is one browser for all tests of this package.
var chromium *browsertest.Browser

func TestMain(m *testing.M) {
	os.Exit(browsertest.Main(m, func(b *browsertest.Browser) { chromium = b }))
}

// openPage opens the page of a new fake relay, at an address that ends in hash.
func openPage(t *testing.T, o console.Options, hash string) (*fakeRelay, *browsertest.Tab) {
	t.Helper()
	relay := newFakeRelay(t, o)
	return relay, chromium.Open(t, relay.URL+o.PublicPath+"/"+hash)
}
