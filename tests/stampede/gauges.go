package stampede

import (
	"context"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// gauges is what is counted and measured while the scenes are played.
type gauges struct {
	run     *run
	refused atomic.Int64 // attempts to publish that were not answered 200
	resets  atomic.Int64
	handled atomic.Int64 // handshakes, and answers to polls
	came    atomic.Int64 // clients that were told about all of their channels
	peak    atomic.Int64 // most of those in a second
	live    atomic.Pointer[latencies]
	late    atomic.Pointer[latencies]

	mu     sync.Mutex
	ends   map[string]int // of connections and attempts, by how they ended
	drains []drain
	procs  map[int]*process
}

func newGauges(r *run) *gauges {
	g := &gauges{run: r, ends: make(map[string]int), procs: make(map[int]*process)}
	g.live.Store(&latencies{})
	g.late.Store(&latencies{})
	return g
}

func (g *gauges) connected() { g.handled.Add(1) }

func (g *gauges) arrived() { g.came.Add(1) }

// event notes how old an event was when a client saw it: live if the client
// was all there when it was made, late if it was told of the past.
func (g *gauges) event(made time.Time, back bool, since time.Time) {
	if back && made.After(since) {
		g.live.Load().add(time.Since(made))
		return
	}
	g.late.Load().add(time.Since(made))
}

// ended counts an end.
func (g *gauges) ended(w way, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ends[w.String()+": "+nameOf(err)]++
}

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
		before, since := g.came.Load(), time.Now()
		for sleep(ctx, 100*time.Millisecond) {
			g.look()
			// By the clock: on a busy machine ten pauses are longer than a second.
			if passed := time.Since(since); passed >= time.Second {
				now := g.came.Load()
				g.peak.Store(max(g.peak.Load(), int64(float64(now-before)/passed.Seconds())))
				before, since = now, time.Now()
			}
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
	g.peak.Store(0)
	p := &Phase{Name: name, begin: time.Now()}
	p.before = g.counts()
	g.live.Store(&latencies{})
	g.late.Store(&latencies{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ends, g.drains = make(map[string]int), nil
	return p
}

// end closes it.
func (g *gauges) end(p *Phase) {
	g.look()
	p.Counts = g.counts().minus(p.before)
	// A second that began before the phase counts others too.
	p.Peak = min(p.Came, max(g.peak.Load(), int64(float64(p.Came)/time.Since(p.begin).Seconds())))
	p.Memory = g.memory()
	p.Live, p.Late = g.live.Load(), g.late.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	p.Ends, p.Drains = maps.Clone(g.ends), slices.Clone(g.drains)
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
	return Counts{
		Handshakes: g.handled.Load(), Came: g.came.Load(), Refused: g.refused.Load(), Resets: g.resets.Load(),
		CPU: g.cpu(), Redis: redisCalls(g.run.fleet.redis),
	}
}
