package chaos

import (
	"strings"
	"time"

	"relay/tests/harness"
	"relay/tests/redistest"
)

// sentinel is a master and two replicas, and three sentinels that watch them.
// Replication is asynchronous, and no server keeps anything on disk: a
// failover can lose what was acknowledged. The watch notes when.
type sentinel struct{ group *redistest.Sentinel }

func newSentinel(h *harness.Harness, s shape) *sentinel {
	return &sentinel{redistest.StartSentinel(h, s.redisArgs("")...)}
}

func (s *sentinel) doors() []string {
	var addrs []string
	for _, list := range [][]*redistest.Server{s.group.Servers, s.group.Sentinels} {
		for _, server := range list {
			addrs = append(addrs, server.Addr)
		}
	}
	return addrs
}

func (s *sentinel) url(to func(string) string) string {
	return translated(s.group.URL(), s.doors(), to)
}

// translated puts in a URL's place of each address the one that a relay uses.
func translated(url string, addrs []string, to func(string) string) string {
	for _, addr := range addrs {
		url = strings.ReplaceAll(url, addr, to(addr))
	}
	return url
}

func (s *sentinel) data() []*redistest.Server { return s.group.Servers }

func (s *sentinel) shards() map[string]int { return nil }

func (s *sentinel) announces() string { return "PUBLISH" }

// serving is the master, by the word of a sentinel.
func (s *sentinel) serving(string) *redistest.Server {
	for _, watcher := range s.group.Sentinels {
		text, err := watcher.Text("INFO", "sentinel")
		if err != nil {
			continue
		}
		for _, server := range s.group.Servers {
			if strings.Contains(text, "address="+server.Addr+",") {
				return server
			}
		}
	}
	return nil
}

func (s *sentinel) faults() []faultKind {
	return []faultKind{nodeKill, masterKill, masterStop, sentinelFailover}
}

func (s *sentinel) harm(f fault, _ *run) {
	master := s.serving("")
	if master == nil {
		return
	}
	switch f.kind {
	case nodeKill, masterKill:
		if f.kind == nodeKill {
			master = s.group.Servers[f.relay%len(s.group.Servers)]
		}
		master.Stop()
		time.Sleep(f.lasts)
		if f.kind == masterKill {
			s.awaitOther(master)
		}
		master.Restart()
	case masterStop:
		master.Signal(sigStop)
		s.awaitOther(master)
		time.Sleep(f.lasts) // both are masters, and one does not know it
		master.Signal(sigCont)
	case sentinelFailover:
		try(s.group.Sentinels[f.relay%len(s.group.Sentinels)], "SENTINEL", "FAILOVER", "relay")
		s.awaitOther(master)
	}
}

// awaitOther waits until the sentinels name another master, if they ever do.
func (s *sentinel) awaitOther(old *redistest.Server) {
	_ = eventually("a failover", func() bool {
		now := s.serving("")
		return now != nil && now != old && says(now, "role:master", "INFO", "replication")
	})
}

// settle waits for one master that all sentinels name, and whom all follow.
func (s *sentinel) settle() error {
	return eventually("one master and its replicas", func() bool {
		master := s.serving("")
		if master == nil || !says(master, "role:master", "INFO", "replication") {
			return false
		}
		for _, watcher := range s.group.Sentinels {
			if !says(watcher, "status=ok,address="+master.Addr+",", "INFO", "sentinel") {
				return false
			}
		}
		for _, server := range s.group.Servers {
			if server != master && !(says(server, "role:slave", "INFO", "replication") &&
				says(server, "master_port:"+portOf(master.Addr), "INFO", "replication") &&
				says(server, "master_link_status:up", "INFO", "replication")) {
				return false
			}
		}
		return true
	})
}

// says reports whether a server's answer has a text in it.
func says(s *redistest.Server, part string, command ...string) bool {
	text, err := s.Text(command...)
	return err == nil && strings.Contains(text, part)
}

// repair: there is nothing that Redis would not do by itself.
func (s *sentinel) repair() bool { return false }
