package stampede

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"

	"relay/retry"
)

// gauges is what is measured of the fleet while the scenes are played.
type gauges struct {
	run *run

	mu     sync.Mutex
	drains []drain
	procs  map[int]*process
}

func newGauges(r *run) *gauges { return &gauges{run: r, procs: make(map[int]*process)} }

// left notes how a relay left.
func (g *gauges) left(d drain) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drains = append(g.drains, d)
}

// watch measures until ctx ends or it is stopped.
func (g *gauges) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for retry.Sleep(ctx, 100*time.Millisecond) {
			g.look()
		}
	})
	return func() {
		cancel()
		watcher.Wait()
	}
}

// look measures the processes there are. What one used up between the last
// look and its end is not seen.
func (g *gauges) look() {
	for i, n := range g.run.fleet.nodes {
		g.measure(n.process().PID(), i)
	}
	g.measure(os.Getpid(), crowdItself)
}

// crowdItself is the place of the process that the crowd runs in.
const crowdItself = relays

func (g *gauges) measure(pid, place int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.procs[pid]
	if p == nil {
		p = &process{pid: pid, place: place}
		g.procs[pid] = p
	}
	p.look()
}

// cpu is what the processes of each place have used so far.
func (g *gauges) cpu() (sum [relays + 1]time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.procs {
		sum[p.place] += p.cpu
	}
	return sum
}

// memory is the most that a process of each place has had in memory, in bytes.
func (g *gauges) memory() (most [relays + 1]int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.procs {
		most[p.place] = max(most[p.place], p.memory)
	}
	return most
}

// begin starts the measuring of a phase.
func (g *gauges) begin(name string) *Phase {
	g.look()
	p := &Phase{Name: name, begin: time.Now()}
	p.before = g.counts()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drains = nil
	return p
}

// end closes it.
func (g *gauges) end(p *Phase) {
	g.look()
	p.Counts = g.counts().minus(p.before)
	p.Peak = g.run.crowd.Peak(p.begin)
	p.Memory = g.memory()
	g.mu.Lock()
	defer g.mu.Unlock()
	p.Drains = slices.Clone(g.drains)
}

// totals is what the relays themselves say.
func (g *gauges) totals() []string {
	var totals []string
	for _, n := range g.run.fleet.nodes {
		totals = append(totals, scrape(n.process().OpsURL)...)
	}
	return totals
}

func (g *gauges) counts() Counts {
	return Counts{Tally: g.run.crowd.Tally(), CPU: g.cpu(), Redis: redisCalls(g.run.fleet.redis)}
}
