package chaos

import (
	"time"

	"relay/tests/harness"
	"relay/tests/redistest"
)

// store is the Redis behind the relays, in one of its shapes, and what can go
// wrong with it.
type store interface {
	// addr is where relays connect to, "host:port".
	addr() string
	// faults are the kinds it knows.
	faults() []faultKind
	// harm does one fault and returns when it is over. It notes losses.
	harm(f fault, t *truth)
	// whisper publishes an event that no relay hears of, if it can.
	whisper(channel string, t *truth)
	// heal ends what faults left behind, and returns when the store serves.
	heal()
}

// standalone is one redis-server.
type standalone struct {
	server *redistest.Server
	shape  shape
}

func newStandalone(h *harness.Harness, s shape) *standalone {
	return &standalone{server: redistest.Start(h, s.redisArgs(h.TempDir())...), shape: s}
}

func (s *standalone) addr() string { return s.server.Addr }

func (s *standalone) faults() []faultKind {
	return []faultKind{storeRestart, storeStop, storeFlush, storeKillPubSub, storeKillNormal, storePause, storeScriptFlush, storeSleep, storeUnheard, storeTwice, storeFork}
}

func (s *standalone) harm(f fault, t *truth) {
	millis := f.lasts.Milliseconds()
	switch f.kind {
	case storeRestart:
		from := time.Now()
		s.server.Stop()
		time.Sleep(f.lasts / 2)
		s.server.Restart()
		if !s.shape.durable {
			t.lost("", from)
		}
	case storeStop:
		s.server.Signal(sigStop)
		time.Sleep(f.lasts)
		s.server.Signal(sigCont)
	case storeFlush:
		from := time.Now()
		s.try("FLUSHALL")
		t.lost("", from)
	case storeKillPubSub:
		s.try("CLIENT", "KILL", "TYPE", "pubsub")
	case storeKillNormal:
		s.try("CLIENT", "KILL", "TYPE", "normal")
	case storePause:
		s.try("CLIENT", "PAUSE", itoa(millis), "ALL")
	case storeScriptFlush:
		s.try("SCRIPT", "FLUSH")
	case storeSleep:
		s.try("DEBUG", "SLEEP", seconds(f.lasts))
	case storeUnheard:
		s.publishUnheard(channelName(f.channel), f.tag, t, appendSilently)
	case storeFork:
		from := time.Now()
		s.publishUnheard(channelName(f.channel), f.tag, t, replaceNewest)
		t.lost(channelName(f.channel), from)
	case storeTwice:
		s.repeatAnnouncements(f)
	}
}

// try sends a command. The server may be busy with another fault; what a
// FLUSHALL that was not answered did is counted as a loss all the same.
func (s *standalone) try(args ...string) { _, _ = s.server.Try(args...) }

func (s *standalone) heal() {
	s.try("CLIENT", "UNPAUSE")
}
