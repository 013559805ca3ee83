package chaos

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"time"
)

const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
	sigTerm = syscall.SIGTERM
)

// faultKind is something that goes wrong. Its text stands in the report.
type faultKind string

const (
	relayKill  faultKind = "relay: SIGKILL and restart"
	relayPause faultKind = "relay: SIGSTOP, SIGCONT"
	relayRoll  faultKind = "relays: rolling restart with SIGTERM"

	storeRestart     faultKind = "redis: SIGKILL and restart"
	storeStop        faultKind = "redis: SIGSTOP, SIGCONT"
	storeFlush       faultKind = "redis: FLUSHALL"
	storeKillPubSub  faultKind = "redis: CLIENT KILL TYPE pubsub"
	storeKillNormal  faultKind = "redis: CLIENT KILL TYPE normal"
	storePause       faultKind = "redis: CLIENT PAUSE"
	storeScriptFlush faultKind = "redis: SCRIPT FLUSH"
	storeSleep       faultKind = "redis: DEBUG SLEEP"
	storeUnheard     faultKind = "redis: an announcement is lost"
	storeTwice       faultKind = "redis: announcements are repeated"
	storeClock       faultKind = "redis: the clock is stepped"
	storeFork        faultKind = "redis: the newest event is replaced by another"

	nodeKill         faultKind = "node: SIGKILL and restart"
	masterKill       faultKind = "master: SIGKILL, failover, back as a replica"
	masterStop       faultKind = "master: SIGSTOP, failover, SIGCONT"
	sentinelFailover faultKind = "sentinel: SENTINEL FAILOVER"
	clusterFailover  faultKind = "cluster: CLUSTER FAILOVER"
	clusterTakeover  faultKind = "cluster: CLUSTER FAILOVER TAKEOVER"
	clusterMove      faultKind = "cluster: a slot moves"
	clusterMoveLong  faultKind = "cluster: a slot moves, and takes long"
	clusterJoin      faultKind = "cluster: a node joins and leaves"

	backCut    faultKind = "relay-redis: cut"
	backDeaf   faultKind = "relay-redis: nothing comes from redis"
	backMute   faultKind = "relay-redis: nothing goes to redis"
	backFrozen faultKind = "relay-redis: frozen"
	backLate   faultKind = "relay-redis: late"

	frontCut    faultKind = "client-relay: cut"
	frontDeaf   faultKind = "client-relay: nothing comes from the relay"
	frontMute   faultKind = "client-relay: nothing goes to the relay"
	frontFrozen faultKind = "client-relay: frozen"
	frontLate   faultKind = "client-relay: late"
)

// weights says how often a kind is drawn, beside the others.
var weights = map[faultKind]int{
	relayKill: 10, relayPause: 8, relayRoll: 3,
	storeRestart: 5, storeStop: 4, storeFlush: 1, storeKillPubSub: 10, storeKillNormal: 6,
	storePause: 5, storeScriptFlush: 5, storeSleep: 4, storeUnheard: 10, storeTwice: 10, storeFork: 4,
	storeClock: 12,
	nodeKill:   6, masterKill: 10, masterStop: 10, sentinelFailover: 10,
	clusterFailover: 10, clusterTakeover: 6, clusterMove: 12, clusterMoveLong: 12, clusterJoin: 8,
	backCut: 8, backDeaf: 6, backMute: 6, backFrozen: 4, backLate: 4,
	frontCut: 10, frontDeaf: 5, frontMute: 5, frontFrozen: 4, frontLate: 4,
}

// relayFaults are the kinds that strike one relay, or its network.
var relayFaults = []faultKind{
	relayKill, relayPause, relayRoll,
	backCut, backDeaf, backMute, backFrozen, backLate,
	frontCut, frontDeaf, frontMute, frontFrozen, frontLate,
}

// fault is one thing that goes wrong, all of it drawn from the seed.
type fault struct {
	kind  faultKind
	after time.Duration // the pause before it
	lasts time.Duration
	// What it strikes, of those that strike a relay or a channel, and the tag
	// of the event that it publishes, of the one that does.
	relay, channel int
	tag            string
	other          bool          // any server, not the one that serves the channel
	ahead          time.Duration // of the clock
	way            uint64        // which of a relay's links
}

func (f fault) String() string {
	return fmt.Sprintf("%s (relay %d, %s, %v)", f.kind, f.relay, channelName(f.channel), f.lasts.Round(time.Millisecond))
}

// plan draws faults without end. The kinds come in the order of their list,
// because a map's order would not repeat.
type plan struct {
	dice   *rand.Rand
	kinds  []faultKind
	total  int
	config Config
}

func newPlan(c Config, kinds []faultKind) *plan {
	p := &plan{dice: c.dice("faults", 0), kinds: kinds, config: c}
	for _, k := range kinds {
		p.total += weights[k]
	}
	return p
}

// Most faults are short, as a packet loss or a restart is; some outlast every
// patience that a relay has with its connections.
const (
	shortFault = 1500 * time.Millisecond
	longFault  = 12 * time.Second
	longOdds   = 20
	mostPause  = 900 * time.Millisecond
)

// clockSteps are how far a clock is off at most, ahead or behind: seconds,
// minutes, and beyond the time for which history, or a position, is kept.
var clockSteps = []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, 20 * time.Minute, 30 * time.Hour}

func (p *plan) next() fault {
	f := fault{after: time.Duration(p.dice.Int64N(int64(mostPause))), relay: p.dice.IntN(p.config.Relays)}
	f.channel, f.tag = p.dice.IntN(p.config.Channels), fmt.Sprintf("%06d", p.dice.IntN(1e6))
	f.lasts = 50*time.Millisecond + time.Duration(p.dice.Int64N(int64(shortFault)))
	if p.dice.IntN(longOdds) == 0 {
		f.lasts = shortFault + time.Duration(p.dice.Int64N(int64(longFault-shortFault)))
	}
	f.other, f.way = p.dice.IntN(3) == 0, p.dice.Uint64()
	f.ahead = clockSteps[p.dice.IntN(len(clockSteps))]
	f.ahead = time.Duration(p.dice.Int64N(2*int64(f.ahead))) - f.ahead
	draw := p.dice.IntN(p.total)
	for _, k := range p.kinds {
		if draw -= weights[k]; draw < 0 {
			f.kind = k
			break
		}
	}
	return f
}

func channelName(i int) string { return fmt.Sprintf("room.%d", i) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
