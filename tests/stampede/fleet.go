package stampede

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"relay/tests/faultproxy"
	"relay/tests/harness"
	"relay/tests/redistest"
	"relay/tests/relaytest"
)

// fleet is the relays, the Redis behind them, and the network in between.
type fleet struct {
	redis *redistest.Server
	nodes []*node
}

// relays is how many there are.
const relays = 3

// node is one relay's place: its addresses stay when the process changes.
type node struct {
	harness     *harness.Harness
	env         []string
	public, api string // addresses
	back        *faultproxy.Proxy

	mu    sync.Mutex
	relay *relaytest.Relay
}

func newFleet(h *harness.Harness, config Config) *fleet {
	f := &fleet{redis: redistest.Start(h, "--loglevel", "warning", "--logfile", "/dev/null",
		"--dir", h.TempDir(), "--appendonly", "yes", "--appendfsync", "everysec")}
	for range relays {
		n := &node{harness: h, public: relaytest.QuietAddr(h), api: relaytest.QuietAddr(h), back: faultproxy.New(h, f.redis.Addr)}
		n.env = []string{
			"RELAY_PUBLIC_ADDR=" + n.public, "RELAY_API_ADDR=" + n.api, "RELAY_REDIS_URL=redis://" + n.back.Addr,
			"RELAY_DRAIN_WINDOW=" + config.DrainWindow.String(), "RELAY_LOG_LEVEL=info",
			// A client that is away for all of a run has lost nothing.
			"RELAY_HISTORY_SIZE=10000",
		}
		n.start()
		f.nodes = append(f.nodes, n)
	}
	return f
}

// start starts the relay and returns when it listens.
func (n *node) start() {
	r := relaytest.StartPlain(n.harness, n.env...)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.relay = r
}

func (n *node) process() *relaytest.Relay {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.relay
}

// replace lets the relay leave politely and starts the next. It returns how
// the old one left.
func (n *node) replace() drain {
	old := n.process()
	begin := time.Now()
	old.Signal(syscall.SIGTERM)
	if code := old.Wait(); code != 0 {
		n.harness.Errorf("a drained relay left with code %d\n%s", code, old.Log())
	}
	d := drain{took: time.Since(begin), cut: cutShort(old.Log())}
	n.start()
	return d
}

// drain is how a relay left.
type drain struct {
	took time.Duration
	// cut is how many clients it closed at once because its window was over.
	cut int
}

func (d drain) String() string {
	if d.cut == 0 {
		return d.took.Round(10 * time.Millisecond).String()
	}
	return fmt.Sprintf("%v (%d cut)", d.took.Round(10*time.Millisecond), d.cut)
}

// cutShort reads from a relay's log how many clients it closed at once.
func cutShort(log string) int {
	for line := range strings.Lines(log) {
		var l struct {
			Msg         string
			Connections int
		}
		if json.Unmarshal([]byte(line), &l) == nil && strings.HasPrefix(l.Msg, "the drain window is over") {
			return l.Connections
		}
	}
	return 0
}

// kill ends the relay as a crash does, and starts the next.
func (n *node) kill() {
	n.process().Kill()
	n.start()
}

func (n *node) String() string { return fmt.Sprintf("relay %s", n.public) }
