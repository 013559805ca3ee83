package chaos

import (
	"bytes"
	"net"
	"slices"
	"strconv"
	"sync"

	"relay/tests/faultproxy"
	"relay/tests/harness"
)

// network is what lies between one relay and the store: a link to each of the
// store's nodes, and each link breaks by itself. A relay can be cut off from
// one master while it reaches the others, or see an old master that nobody
// else sees any more.
//
// Sentinels and Cluster nodes tell their clients where the others are, so the
// links translate: where a node names another node's port, the relay reads the
// port of its own link to that node. The nodes themselves use the real ports;
// replication and elections are not disturbed by what happens to a relay.
type network struct {
	harness *harness.Harness
	links   []*faultproxy.Proxy

	mu    sync.Mutex
	ports map[string]string // the store's to this network's
}

// newNetwork makes links to servers "host:port".
func newNetwork(h *harness.Harness, servers []string) *network {
	n := &network{harness: h, ports: make(map[string]string)}
	for _, addr := range servers {
		link := faultproxy.NewTranslating(h, addr, n.translator)
		n.links = append(n.links, link)
		n.mu.Lock()
		n.ports[portOf(addr)] = portOf(link.Addr)
		n.mu.Unlock()
	}
	return n
}

// to is where the relay reaches a server.
func (n *network) to(addr string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return net.JoinHostPort("127.0.0.1", n.ports[portOf(addr)])
}

// choose is what a fault strikes: as often all links as one of them.
func (n *network) choose(draw uint64) []*faultproxy.Proxy {
	if draw%2 == 0 {
		return n.links
	}
	i := int(draw / 2 % uint64(len(n.links)))
	return n.links[i : i+1]
}

func (n *network) heal() {
	for _, link := range n.links {
		link.Heal()
	}
}

// translator translates one connection's replies, line by line: RESP ends
// everything with a line's end. All ports have five digits, so lengths stay.
// An event's data has no line of its own that could be taken for a port.
func (n *network) translator() func([]byte) []byte {
	var held, before []byte
	return func(b []byte) []byte {
		held = append(held, b...)
		var out []byte
		for {
			end := bytes.IndexByte(held, '\n') + 1
			if end == 0 {
				return out
			}
			line := slices.Clone(held[:end])
			held = held[end:]
			out = append(out, n.translate(line, string(before))...)
			before = line
		}
	}
}

var loopback = []byte("127.0.0.1")

// translate changes a line in which a node's port stands: as a number, as a
// text of its own, or after its host.
func (n *network) translate(line []byte, before string) []byte {
	text := bytes.TrimRight(line, "\r\n")
	if before == "$5\r\n" {
		n.replace(text)
	} else if len(text) == 6 && text[0] == ':' {
		n.replace(text[1:])
	} else if len(text) < 512 { // a message, not an event
		for rest := text; ; {
			i := bytes.Index(rest, loopback)
			if i < 0 || len(rest) < i+len(loopback)+6 {
				break
			}
			rest = rest[i+len(loopback)+1:]
			n.replace(rest[:5])
		}
	}
	return line
}

func (n *network) replace(port []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if own, known := n.ports[string(port)]; known {
		copy(port, own)
	}
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if _, bad := strconv.Atoi(port); err != nil || bad != nil || len(port) != 5 {
		panic("not an address with a port of five digits: " + addr)
	}
	return port
}
