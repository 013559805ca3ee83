//go:build kube

package kube

import (
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"relay/tests/redistest"
)

// rights are what docs/running.md says that the relay's user needs.
const rights = "+@read +@write +@scripting +@pubsub +@connection +time +cluster|slots +cluster|shards +cluster|nodes ~relay:* ~{relay:* &relay:*"

// redis starts a Redis on this machine that pods reach, with further arguments,
// and gives the namespace a Secret with its URL. It is closed to strangers.
func (n *namespace) redis(further ...string) *redistest.Server {
	n.t.Helper()
	host := n.host()
	password := rand.Text()
	args := []string{
		"--bind", "127.0.0.1", host, "--protected-mode", "no", "--loglevel", "warning", "--logfile", "/dev/null",
		// Off, but with all rights: it is as the default user that Redis 7.0 reads
		// transactions from its own file after a restart, and scripts are such.
		"--user", "default", "off", "+@all", "~*", "&*",
		"--user", "relay", "on", ">" + password,
	}
	s := redistest.Start(n.t, slices.Concat(args, strings.Fields(rights), further)...)
	_, port, _ := net.SplitHostPort(s.Addr)
	n.kubectl("create", "secret", "generic", "redis", "--from-literal=url="+
		fmt.Sprintf("redis://relay:%s@%s", password, net.JoinHostPort(host, port)))
	return s
}

var found struct {
	mu   sync.Mutex
	host string
}

// host is the address by which pods reach this machine. A pod finds it.
func (n *namespace) host() string {
	n.t.Helper()
	found.mu.Lock()
	defer found.mu.Unlock()
	if found.host == "" {
		if found.host = setting("HOST"); found.host == "" {
			found.host = n.find()
		}
		n.t.Logf("pods reach this machine at %s", found.host)
	}
	return found.host
}

// find lets a pod look which of this machine's addresses it can reach.
func (n *namespace) find() string {
	n.t.Helper()
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		n.t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	args := append([]string{
		"run", "find", "--image=" + things(n.t).app, "--restart=Never", "--quiet", "--", "find", port,
	}, own(n.t)...)
	n.kubectl(args...)
	n.await("a pod finds this machine", func() string {
		switch phase := n.kubectl("get", "pod", "find", "-o", "jsonpath={.status.phase}"); phase {
		case "Succeeded":
			return ""
		case "Failed":
			n.t.Fatalf("pods cannot reach this machine, where the tests start Redis: %s Set KUBE_TEST_HOST to an address at which they can",
				n.kubectl("logs", "find"))
			return ""
		default:
			return "it is " + phase
		}
	})
	return strings.TrimSpace(n.kubectl("logs", "find"))
}

// own are this machine's addresses, without those that mean another machine
// elsewhere.
func own(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			addrs = append(addrs, ip.IP.String())
		}
	}
	return addrs
}
