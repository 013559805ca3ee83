// Package relays tests the program from outside: one relay and its doors, and
// several on one real Redis.
package relays

import (
	"testing"

	"relay/tests/relaytest"
)

func TestMain(m *testing.M) { relaytest.Main(m) }
