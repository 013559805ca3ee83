package stampede

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"relay/retry"
	"relay/tests/faultproxy"
)

// scenes are what can happen to the fleet. Each returns when it is over for
// the fleet; the crowd may still be coming back.
var scenes = map[string]func(context.Context, *run){
	"roll":  roll,
	"kill":  killEach,
	"all":   killAll,
	"late":  rollLate,
	"deaf":  deaf,
	"mute":  mute,
	"redis": rollRestartedRedis,
}

// SceneNames lists what Config.Scenes may name.
func SceneNames() []string { return slices.Sorted(maps.Keys(scenes)) }

// roll restarts the relays in a row, each politely.
func roll(ctx context.Context, r *run) {
	for _, n := range r.fleet.nodes {
		if ctx.Err() == nil {
			r.gauges.left(n.replace())
		}
	}
}

// killEach kills the relays in a row, each as soon as the one before it is
// back, with its crowd just coming.
func killEach(ctx context.Context, r *run) {
	for _, n := range r.fleet.nodes {
		n.kill()
		retry.Sleep(ctx, time.Second)
	}
}

// killAll kills all relays at once.
func killAll(_ context.Context, r *run) {
	var killers sync.WaitGroup
	for _, n := range r.fleet.nodes {
		killers.Go(n.kill)
	}
	killers.Wait()
}

// lateness is how late Redis answers: this long in each direction.
const lateness = 200 * time.Millisecond

// rollLate is roll while Redis answers late.
func rollLate(ctx context.Context, r *run) {
	for _, n := range r.fleet.nodes {
		n.back.Delay(lateness)
		defer n.back.Heal()
	}
	roll(ctx, r)
}

// deaf lets nothing from Redis reach one relay.
func deaf(ctx context.Context, r *run) { freeze(ctx, r, faultproxy.ToClient) }

// mute lets nothing of one relay reach Redis.
func mute(ctx context.Context, r *run) { freeze(ctx, r, faultproxy.ToServer) }

// freeze drops one direction between a relay and Redis, and kills another
// relay meanwhile, so that part of its crowd comes to the one that is cut off.
func freeze(ctx context.Context, r *run, d faultproxy.Direction) {
	cut, killed := r.fleet.nodes[0], r.fleet.nodes[1]
	cut.back.Freeze(d)
	defer cut.back.Heal()
	retry.Sleep(ctx, r.config.Fault/2)
	killed.kill()
	retry.Sleep(ctx, r.config.Fault/2)
}

// rollRestartedRedis is roll, with a Redis that is restarted in the middle and
// has its data on disk.
func rollRestartedRedis(ctx context.Context, r *run) {
	var restart sync.WaitGroup
	restart.Go(func() {
		retry.Sleep(ctx, r.config.DrainWindow*3/2)
		r.fleet.redis.Stop()
		retry.Sleep(ctx, r.config.Fault/2)
		r.fleet.redis.Restart()
	})
	defer restart.Wait()
	roll(ctx, r)
}
