package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Sentinel is a master, its replicas, and the sentinels that watch them.
type Sentinel struct {
	Servers   []*Server // the first was made master
	Sentinels []*Server

	tb testing.TB
}

const (
	masterSet = "relay"
	replicas  = 2
	sentinels = 3
	quorum    = 2
)

// StartSentinel runs one master, two replicas and three sentinels, which hold
// a master for dead that was silent for a second, until the test ends. It
// returns when all know of each other. Servers get the extra arguments.
func StartSentinel(tb testing.TB, args ...string) *Sentinel {
	tb.Helper()
	g := &Sentinel{tb: tb}
	args = append([]string{"--repl-diskless-sync-delay", "0"}, args...)
	master := g.start("", args...)
	g.Servers = append(g.Servers, master)
	for range replicas {
		g.Servers = append(g.Servers, g.start("replicaof 127.0.0.1 "+master.port()+"\n", args...))
	}
	for range sentinels {
		g.Sentinels = append(g.Sentinels, g.startSentinel(master))
	}
	await(tb, "the replicas to follow their master", func() bool {
		return master.says("INFO replication", "slave0:", "slave1:", "state=online")
	})
	for _, s := range g.Sentinels {
		await(tb, "the sentinels to know of each other", func() bool {
			return s.says("INFO sentinel", fmt.Sprintf("status=ok,address=%s,slaves=%d,sentinels=%d", master.Addr, replicas, sentinels))
		})
	}
	return g
}

func (g *Sentinel) startSentinel(master *Server) *Server {
	g.tb.Helper()
	text := fmt.Sprintf(`sentinel monitor %[1]s 127.0.0.1 %[2]s %[3]d
sentinel down-after-milliseconds %[1]s 1000
sentinel failover-timeout %[1]s 3000
sentinel parallel-syncs %[1]s 2
`, masterSet, master.port(), quorum)
	return g.start(text, "--sentinel")
}

// start starts a process with a configuration file. Into a server's, sentinels
// write whom it follows: one that came back with what it was told at first
// could follow its own replica, and nobody would ever be master again.
func (g *Sentinel) start(config string, args ...string) *Server {
	g.tb.Helper()
	file := filepath.Join(g.tb.TempDir(), "redis.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		g.tb.Fatal(err)
	}
	return (&Server{Addr: FreeAddr(g.tb), tb: g.tb, config: file, args: args}).start()
}

// URL is the group's address as RELAY_REDIS_URL takes it.
func (g *Sentinel) URL() string { return urls(g.Sentinels, "master_set="+masterSet) }

// Master is the server that most sentinels call master now.
func (g *Sentinel) Master() *Server {
	g.tb.Helper()
	for _, server := range g.Servers {
		votes := 0
		for _, s := range g.Sentinels {
			if s.says("INFO sentinel", "address="+server.Addr+",") {
				votes++
			}
		}
		if votes >= quorum {
			return server
		}
	}
	g.tb.Fatal("the sentinels do not agree on a master")
	return nil
}

// AwaitNewMaster waits until another server than old has been made master and
// takes writes.
func (g *Sentinel) AwaitNewMaster(old *Server) (master *Server) {
	g.tb.Helper()
	await(g.tb, "a new master", func() bool {
		for _, server := range g.Servers {
			if server != old && server.says("INFO replication", "role:master") {
				master = server
				return true
			}
		}
		return false
	})
	for _, s := range g.Sentinels {
		await(g.tb, "the sentinels to name the new master", func() bool {
			return s.says("INFO sentinel", "address="+master.Addr+",")
		})
	}
	return master
}
