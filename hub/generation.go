package hub

import (
	"context"
	"slices"
	"strings"
	"time"
)

const (
	// rosterEvery is how often a relay that holds its clients asks who is there,
	// and rosterShare what each that answers adds to the pause. All that hold ask
	// all there are: every second, a few hundred would keep Redis busy.
	rosterEvery = time.Second
	rosterShare = 25 * time.Millisecond
	// rosterPatience is how long it waits for the answers, and mostSilences how
	// often in a row. A relay that is silent for longer counts as gone: it must
	// not hold up the others.
	rosterPatience = 3 * time.Second
	mostSilences   = 3
)

// peer is what a relay says of itself to others that ask.
type peer struct {
	// Generation names the relays that were started together, as one version;
	// empty if nobody told.
	Generation string `json:"generation"`
	// Begun is when it was started, in milliseconds since 1970.
	Begun int64 `json:"begun"`
	// Accepts: new clients can still get there.
	Accepts bool `json:"accepts"`
}

// self is what this relay says of itself.
func (h *Hub) self() *peer {
	state := h.DrainStatus().State
	return &peer{
		Generation: h.options.Generation,
		Begun:      h.begun.UnixMilli(),
		Accepts:    state == DrainServing || state == DrainWaiting,
	}
}

// roster is what the other relays answer to the question who is there.
type roster struct {
	// hold: their answers are a reason to keep clients.
	hold bool
	// complete is false if one of them did not answer in time.
	complete bool
	relays   int
}

// pause comes before the next question.
func (r roster) pause() time.Duration {
	return max(rosterEvery, time.Duration(r.relays)*rosterShare)
}

// askRoster asks the other relays.
func (h *Hub) askRoster(ctx context.Context) (r roster, err error) {
	var peers []peer
	r.complete, err = h.ask(ctx, question{Roster: &rosterOrder{}}, rosterPatience, func(a answer) {
		r.relays++
		if a.Relay != nil {
			peers = append(peers, *a.Relay)
		}
	})
	r.hold = shouldHold(h.options.Generation, peers)
	return r, err
}

// shouldHold is the rule: whether a relay that was told to leave keeps its
// clients for now, since they could be sent to a relay that is to leave too.
//
// While another generation takes clients, a rollout is under way, and it is
// the other one that stays: this relay is being replaced. (A generation's name
// has no order, and the times of two starts need not tell either: a container
// may have been restarted, or an old generation be on its way back.) Of several
// others that one stays which began last, by its youngest relay. Clients are
// held as long as a relay of any other than that takes new ones. Without
// another generation there is no rollout, and who remains stays.
func shouldHold(generation string, peers []peer) bool {
	peers = slices.DeleteFunc(slices.Clone(peers), func(p peer) bool {
		return !p.Accepts || p.Generation == "" || group(p.Generation) != group(generation)
	})
	staying := peer{Generation: generation}
	for _, p := range peers {
		if p.Generation != generation && (staying.Generation == generation || p.Begun > staying.Begun) {
			staying = p
		}
	}
	return staying.Generation != generation && slices.ContainsFunc(peers, func(p peer) bool {
		return p.Generation != staying.Generation
	})
}

// group is what stands before the last slash of a generation: several
// workloads that share a Redis are rolled out each on its own.
func group(generation string) string {
	return generation[:strings.LastIndexByte(generation, '/')+1]
}
