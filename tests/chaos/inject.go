package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"relay/retry"
)

// maxAtOnce bounds the faults under way: more than these and nothing works for
// long enough to be lost.
const maxAtOnce = 3

// inject does faults until the deadline, and returns when all are over.
func (r *run) inject(ctx context.Context, deadline time.Time) {
	p := newPlan(r.config, slices.Concat(relayFaults, serverFaults, r.store.faults()))
	var under sync.WaitGroup
	defer under.Wait()
	places := make(chan struct{}, maxAtOnce)
	var storeFault sync.Mutex // one at a time; what is drawn meanwhile is left out
	for {
		f := p.next()
		if time.Now().Add(f.after).After(deadline) {
			retry.Sleep(ctx, time.Until(deadline))
			return
		}
		if !retry.Sleep(ctx, f.after) {
			return
		}
		f.lasts = min(f.lasts, max(shortFault, time.Until(deadline)))
		onStore := !slices.Contains(relayFaults, f.kind)
		if onStore && !storeFault.TryLock() {
			continue // a failover takes its time; relays are not spared meanwhile
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		r.tell(f.String())
		r.report.fault(f.kind)
		under.Go(func() {
			defer func() { <-places }()
			if onStore {
				defer storeFault.Unlock()
				r.harmStore(f)
				return
			}
			r.fleet.harm(f)
		})
	}
}

// heal ends what the faults left behind and lets slow clients read on.
func (r *run) heal() {
	r.healStore()
	for i, complaint := range r.fleet.heal() {
		r.report.violate(Violation{What: fmt.Sprintf("relay %d: %s", i, complaint)})
	}
	for _, c := range r.clients {
		c.brake.release()
	}
}
