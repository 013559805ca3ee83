package chaos

import (
	"fmt"
	"strconv"
)

// shape is what a seed decides before the run begins.
type shape struct {
	// durable: the store writes all to disk before it answers, so that a
	// restart loses nothing. Otherwise a restart loses everything.
	durable bool
	// history is RELAY_HISTORY_SIZE. A tiny one is trimmed under the readers.
	history int
}

const (
	usualHistory = 256
	tinyHistory  = 8
)

func drawShape(c Config) shape {
	dice := c.dice("shape", 0)
	s := shape{durable: dice.IntN(2) == 0, history: usualHistory}
	if dice.IntN(3) == 0 {
		s.history = tinyHistory
	}
	return s
}

func (s shape) String() string {
	store := "redis without persistence"
	if s.durable {
		store = "redis with appendfsync always"
	}
	return fmt.Sprintf("%s, history of %d events", store, s.history)
}

// redisArgs are the store's extra arguments.
func (s shape) redisArgs(dir string) []string {
	args := []string{"--enable-debug-command", "yes", "--loglevel", "warning", "--logfile", "/dev/null"}
	if s.history == tinyHistory {
		// Redis trims whole nodes of a stream.
		args = append(args, "--stream-node-max-entries", "4")
	}
	if s.durable {
		args = append(args, "--dir", dir, "--appendonly", "yes", "--appendfsync", "always")
	}
	return args
}

// env is how relays are configured.
func (s shape) env() []string {
	return []string{
		"RELAY_HISTORY_SIZE=" + strconv.Itoa(s.history),
		"RELAY_DRAIN_WINDOW=1s",
		"RELAY_LOG_LEVEL=info",
		"RELAY_MAX_EVENT_BYTES=8KiB",
		"RELAY_QUEUE_BYTES=32KiB",
	}
}
