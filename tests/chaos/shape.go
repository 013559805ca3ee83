package chaos

import (
	"fmt"
	"strconv"
)

// Store is a shape of Redis.
type Store string

// The shapes. The seed draws one if none is asked for.
const (
	Standalone Store = "standalone"
	Sentinel   Store = "sentinel"
	Cluster    Store = "cluster"
)

// Check reports an error for what is no shape.
func (s Store) Check() error {
	switch s {
	case "", Standalone, Sentinel, Cluster:
		return nil
	}
	return fmt.Errorf("%q is none of standalone, sentinel and cluster", string(s))
}

// shape is what a seed decides before the run begins.
type shape struct {
	store    Store
	channels int
	// durable: the store writes all to disk before it answers, so that a
	// restart loses nothing. Otherwise a restart loses everything. Only of a
	// standalone server.
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
	s := shape{store: c.Store, channels: c.Channels, durable: dice.IntN(2) == 0, history: usualHistory}
	if dice.IntN(3) == 0 {
		s.history = tinyHistory
	}
	if drawn := []Store{Standalone, Standalone, Sentinel, Cluster}[dice.IntN(4)]; s.store == "" {
		s.store = drawn
	}
	s.durable = s.durable && s.store == Standalone
	return s
}

func (s shape) String() string {
	kept := "without persistence"
	if s.durable {
		kept = "with appendfsync always"
	}
	return fmt.Sprintf("%s redis %s, history of %d events", s.store, kept, s.history)
}

// redisArgs are the servers' extra arguments; dir is for what is kept.
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
