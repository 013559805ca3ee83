package chaos

import (
	"fmt"
	"time"

	"relay/tests/harness"
	"relay/tests/redistest"
)

// store is the Redis behind the relays, in one of its shapes, and what can go
// wrong with it.
type store interface {
	// doors are the servers that relays speak to, "host:port": all of them,
	// also one that joins later.
	doors() []string
	// url is RELAY_REDIS_URL, where to says how a relay reaches a door.
	url(to func(addr string) string) string
	// data are the servers that hold data, and serving the one of them that
	// takes a channel's events now; nil if nobody knows.
	data() []*redistest.Server
	serving(channel string) *redistest.Server
	// shards is the slot of each channel; nil if one master serves all.
	shards() map[string]int
	// announces is the command that announces an event.
	announces() string
	// faults are the kinds it knows beside those that any server knows.
	faults() []faultKind
	// harm does one fault and returns when it is over. It notes losses that
	// the watch does not see.
	harm(f fault, r *run)
	// settle waits, not for ever, until the store serves and is whole.
	settle() error
	// repair does what its operator would about what does not become whole by
	// itself. It reports whether there was any of that.
	repair() bool
}

func newStore(h *harness.Harness, s shape) store {
	switch s.store {
	case Sentinel:
		return newSentinel(h, s)
	case Cluster:
		return newCluster(h, s)
	}
	return newStandalone(h, s)
}

// serverFaults are the kinds that any server knows.
var serverFaults = []faultKind{
	storeStop, storeFlush, storeKillPubSub, storeKillNormal,
	storePause, storeScriptFlush, storeSleep, storeUnheard, storeTwice, storeFork,
}

// harmStore does one fault to the store and returns when it is over.
func (r *run) harmStore(f fault) {
	channel := channelName(f.channel)
	server := r.store.serving(channel)
	if list := r.store.data(); f.other || server == nil {
		server = list[f.relay%len(list)]
	}
	switch f.kind {
	case storeStop:
		server.Signal(sigStop)
		time.Sleep(f.lasts)
		server.Signal(sigCont)
	case storeFlush:
		from := time.Now()
		if server = r.store.serving(channel); server == nil {
			return
		}
		try(server, "FLUSHALL")
		// What a FLUSHALL did that was not answered counts all the same.
		for i := range r.config.Channels {
			if r.store.serving(channelName(i)) == server {
				r.truth.lost(channelName(i), from)
			}
		}
	case storeKillPubSub:
		try(server, "CLIENT", "KILL", "TYPE", "pubsub")
	case storeKillNormal:
		try(server, "CLIENT", "KILL", "TYPE", "normal")
	case storePause:
		try(server, "CLIENT", "PAUSE", itoa(f.lasts.Milliseconds()), "ALL")
		time.Sleep(f.lasts)
	case storeScriptFlush:
		try(server, "SCRIPT", "FLUSH")
	case storeSleep:
		try(server, "DEBUG", "SLEEP", seconds(f.lasts))
	case storeUnheard:
		r.publishUnheard(channel, f.tag, appendSilently)
	case storeFork:
		from := time.Now()
		r.publishUnheard(channel, f.tag, replaceNewest)
		r.truth.lost(channel, from)
	case storeTwice:
		r.repeatAnnouncements(channel)
	default:
		r.store.harm(f, r)
	}
	if err := r.store.settle(); err != nil {
		r.tell("the store is not whole again: " + err.Error())
	}
}

// try sends a command. The server may be busy with another fault.
func try(s *redistest.Server, args ...string) string {
	reply, err := s.Try(args...)
	if err != nil {
		return ""
	}
	return reply
}

// settlePatience is how long a store may take to become whole. A node that was
// master takes ten seconds to learn from the sentinels that it is not.
const settlePatience = 25 * time.Second

// eventually polls until ok, and says what it waited for if that takes too long.
func eventually(what string, ok func() bool) error {
	deadline := time.Now().Add(settlePatience)
	for !ok() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%v were not enough for %s", settlePatience, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// heal ends what faults left behind in the servers.
func (r *run) healStore() {
	for _, s := range r.store.data() {
		try(s, "CLIENT", "UNPAUSE")
	}
	begin := time.Now()
	err := r.store.settle()
	if r.store.repair() {
		r.report.Repaired = true
		for _, channel := range r.channels {
			r.truth.lost(channel, begin)
		}
		err = r.store.settle()
	}
	if err != nil {
		r.report.violate(Violation{What: "the store did not heal: " + err.Error()})
	}
}
