package client

import (
	"math/rand/v2"
	"time"
)

const (
	firstWait = 250 * time.Millisecond
	mostWait  = 10 * time.Second
	// calmAfter is how long a connection must have lived for the next failure
	// to count as the first. A relay that accepts and closes at once is
	// otherwise asked four times a second for ever.
	calmAfter = mostWait
)

// backoff is the waits between attempts: doubling, and half of each random, so
// that the clients of a relay that died do not come back in step.
type backoff struct{ failures int }

func (b *backoff) next() time.Duration {
	full := mostWait
	if b.failures < 6 { // 250 ms << 6 is beyond 10 s
		full = min(mostWait, firstWait<<b.failures)
		b.failures++
	}
	return full/2 + rand.N(full/2+1)
}

func (b *backoff) reset() { b.failures = 0 }
