package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"relay/tests/faultproxy"
	"relay/tests/harness"
	"relay/tests/relaytest"
)

// fleet is the relays and the networks before and behind each.
type fleet struct {
	nodes []*node
	roll  sync.Mutex // one rolling restart at a time
}

// node is one relay's place: its addresses stay when the process changes.
type node struct {
	harness     *harness.Harness
	env         []string
	public, api string // addresses
	front       *faultproxy.Proxy
	back        *network

	fault     sync.Mutex // one at a time
	mu        sync.Mutex
	relay     *relaytest.Relay
	complaint string
}

func newFleet(h *harness.Harness, size int, s store, env []string) *fleet {
	f := &fleet{}
	for range size {
		n := &node{harness: h, public: relaytest.QuietAddr(h), api: relaytest.QuietAddr(h)}
		n.front, n.back = faultproxy.New(h, n.public), newNetwork(h, s.doors())
		n.env = append([]string{
			"RELAY_PUBLIC_ADDR=" + n.public, "RELAY_API_ADDR=" + n.api, "RELAY_REDIS_URL=" + s.url(n.back.to),
		}, env...)
		n.relay = relaytest.Start(h, n.env...)
		f.nodes = append(f.nodes, n)
	}
	return f
}

// door is a relay's public address, through the network that breaks.
func (f *fleet) door(dice *rand.Rand) (number int, base string) {
	i := dice.IntN(len(f.nodes))
	return i, "http://" + f.nodes[i].front.Addr
}

// desk is a relay's API.
func (f *fleet) desk(dice *rand.Rand) string {
	return "http://" + f.nodes[dice.IntN(len(f.nodes))].api
}

// answersPolls reports whether the relays know /v1/poll.
func (f *fleet) answersPolls() bool {
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get("http://" + f.nodes[0].public + "/v1/poll?channel=room.0&wait=0s")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode != http.StatusNotFound
}

// harm does one fault and returns when it is over.
func (f *fleet) harm(x fault) {
	if x.kind == relayRoll {
		f.roll.Lock()
		defer f.roll.Unlock()
		for _, n := range f.nodes {
			n.exclusively(func() { n.replace(x.lasts / 10) })
		}
		return
	}
	n := f.nodes[x.relay]
	n.exclusively(func() { n.harm(x) })
}

func (n *node) exclusively(f func()) {
	n.fault.Lock()
	defer n.fault.Unlock()
	f()
}

func (n *node) harm(x fault) {
	switch x.kind {
	case relayKill:
		n.check()
		n.process().Kill()
		time.Sleep(x.lasts / 4)
		n.start()
		return
	case relayPause:
		n.process().Signal(sigStop)
		time.Sleep(x.lasts)
		n.process().Signal(sigCont)
		return
	}
	links := n.links(x)
	for _, link := range links {
		switch x.kind {
		case backCut, frontCut:
			link.Cut()
		case backDeaf, frontDeaf:
			link.Freeze(faultproxy.ToClient)
		case backMute, frontMute:
			link.Freeze(faultproxy.ToServer)
		case backFrozen, frontFrozen:
			link.Freeze(faultproxy.Both)
		case backLate, frontLate:
			link.Delay(x.lasts / 8)
		}
	}
	time.Sleep(x.lasts)
	for _, link := range links {
		link.Heal()
	}
}

// links are what a fault of a relay's networks strikes.
func (n *node) links(x fault) []*faultproxy.Proxy {
	switch x.kind {
	case backCut, backDeaf, backMute, backFrozen, backLate:
		return n.back.choose(x.way)
	}
	return []*faultproxy.Proxy{n.front}
}

// replace lets the relay leave politely and starts the next.
func (n *node) replace(pause time.Duration) {
	old := n.process()
	n.check()
	old.Signal(sigTerm)
	if code := old.Wait(); code != 0 {
		n.complain(fmt.Sprintf("a drained relay left with code %d", code))
	}
	time.Sleep(pause)
	n.start()
}

func (n *node) process() *relaytest.Relay {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.relay
}

func (n *node) start() {
	r := relaytest.Start(n.harness, n.env...)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.relay = r
}

// check finds out whether the relay still lives.
func (n *node) check() {
	client := http.Client{Timeout: 30 * time.Second}
	res, err := client.Get(n.process().OpsURL + "/livez")
	if err != nil {
		n.complain("does not answer although nothing was done to it: " + err.Error())
		return
	}
	_ = res.Body.Close()
}

func (n *node) complain(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.complaint == "" {
		n.complaint = text
	}
}

// heal mends all networks and returns what is wrong with relays themselves.
func (f *fleet) heal() map[int]string {
	wrong := make(map[int]string)
	for i, n := range f.nodes {
		n.front.Heal()
		n.back.heal()
		n.check()
		if n.complaint != "" {
			wrong[i] = n.complaint
		}
	}
	return wrong
}
