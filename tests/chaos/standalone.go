package chaos

import (
	"time"

	"relay/tests/harness"
	"relay/tests/redistest"
)

// standalone is one redis-server, whose clock can be stepped.
type standalone struct {
	server *redistest.Server
	clock  *redistest.Clock
	shape  shape
}

func newStandalone(h *harness.Harness, s shape) *standalone {
	server, clock := redistest.StartWithClock(h, s.redisArgs(h.TempDir())...)
	return &standalone{server, clock, s}
}

func (s *standalone) doors() []string { return []string{s.server.Addr} }

func (s *standalone) url(to func(string) string) string { return "redis://" + to(s.server.Addr) }

func (s *standalone) data() []*redistest.Server { return []*redistest.Server{s.server} }

func (s *standalone) serving(string) *redistest.Server { return s.server }

func (s *standalone) shards() map[string]int { return nil }

func (s *standalone) announces() string { return "PUBLISH" }

func (s *standalone) faults() []faultKind { return []faultKind{storeRestart, storeClock} }

func (s *standalone) harm(f fault, r *run) {
	from := time.Now()
	switch f.kind {
	case storeRestart:
		s.server.Stop()
		time.Sleep(f.lasts / 2)
		s.server.Restart()
		if !s.shape.durable {
			r.truth.lost("", from)
		}
	case storeClock:
		s.clock.Set(f.ahead)
		r.truth.stepped(from, f.ahead)
	}
}

func (s *standalone) settle() error {
	return eventually("the server to answer", func() bool { return try(s.server, "PING") == "+PONG" })
}

// repair: there is nothing that Redis would not do by itself.
func (s *standalone) repair() bool { return false }
