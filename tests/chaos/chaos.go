// Package chaos tries to break the relay's promises: it runs real relays over
// a real Redis, publishes and listens as apps and browsers do, injects faults
// drawn from a seed, and lets an oracle compare what each client was told with
// what was acknowledged to the publishers.
//
// The same seed draws the same shape, the same faults in the same order and
// the same behaviour of every client. Timing belongs to the machine, so a
// seed brings a bug back with great likelihood, not with certainty.
//
// The oracle shares no code with the relay. What it holds a client to:
//
//   - from its first `subscribed` on, the events of a channel have no gap, no
//     duplicate and one order, across all of the client's connections;
//   - only after a `reset`, or a `subscribed` with `recovered` false, the
//     sequence may jump, and only if something was really lost: the store
//     lost data, or history was trimmed, deleted or expired beyond the
//     client's position;
//   - an event that excludes a connection is not told to it, nor to the one
//     that goes on from it, and is no gap;
//   - an event without history is told to a connection at most once, and not
//     after what was made when it had been taken;
//   - once all faults are healed, everybody sees everything to the end.
//
// The store is one Redis whose clock is stepped, a group with Sentinels, or a
// Cluster: see network.go for how relays reach several servers through
// networks that break one by one, watch.go and lineage.go for what is known of
// a loss when a failover forks history.
package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"relay/retry"
	"relay/tests/harness"
)

// Config says how much of what is run. The zero value of a field stands for
// its default.
type Config struct {
	Seed uint64
	// Duration is how long faults are injected: 10 s. Before it everybody
	// connects, and after it everything is healed and must come to rest.
	Duration time.Duration
	// Relays: 3, Clients: 24, Publishers: 4, Channels: 6. Clients take turns at
	// the transports; half of them listen to one channel, the others to
	// several.
	Relays, Clients, Publishers, Channels int
	// Patience is how long everybody may take to see the end: 90 s. A relay
	// that works takes a few seconds.
	Patience time.Duration
	// Store is the shape of Redis; empty: the seed draws it.
	Store Store
	// Progress gets a line for each fault; nil for none.
	Progress io.Writer
}

func (c Config) withDefaults() Config {
	set := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	set(&c.Relays, 3)
	set(&c.Clients, 24)
	set(&c.Publishers, 4)
	set(&c.Channels, 6)
	if c.Duration == 0 {
		c.Duration = 10 * time.Second
	}
	if c.Patience == 0 {
		c.Patience = 90 * time.Second
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	return c
}

// dice is an actor's own source of chance, so that what one actor draws does
// not depend on what the others do meanwhile.
func (c Config) dice(actor string, number int) *rand.Rand {
	const fnvOffset, fnvPrime = 14695981039346656037, 1099511628211
	h := uint64(fnvOffset)
	for i := range len(actor) {
		h = (h ^ uint64(actor[i])) * fnvPrime
	}
	return rand.New(rand.NewPCG(c.Seed, h+uint64(number)))
}

// Run runs one seed until it is judged, or until ctx ends, and reports. All
// processes that it started have ended when it returns. An error means that
// the run itself could not be held (no redis-server, no program to build).
func Run(ctx context.Context, config Config) (*Report, error) {
	config = config.withDefaults()
	h := &harness.Harness{}
	defer h.Close()
	r := &run{config: config, harness: h, truth: newTruth(), report: newReport(config)}
	h.Run(func() { r.run(ctx) })
	if complaints := h.Complaints(); len(complaints) > 0 && !r.judged {
		return nil, fmt.Errorf("the run could not be held: %s", complaints[0])
	}
	if !r.judged {
		return nil, fmt.Errorf("the run was stopped: %w", context.Cause(ctx))
	}
	h.Close() // the relays' logs are looked through as they end
	for _, text := range h.Complaints() {
		r.report.Violations = append(r.report.Violations, Violation{What: "a relay complained: " + text})
	}
	return r.report, nil
}

// run is the state of one seed's run. Its fields are set before the actors
// start, and each guards itself.
type run struct {
	config  Config
	harness *harness.Harness
	truth   *truth
	report  *Report

	store    store
	watch    *watch
	fleet    *fleet
	channels []string
	clients  []*client
	judged   bool
}

func (r *run) run(ctx context.Context) {
	r.setUp()
	listening, stopListening := context.WithCancel(ctx)
	defer stopListening()
	var clients, publishers sync.WaitGroup
	defer clients.Wait()
	defer stopListening()
	for _, c := range r.clients {
		clients.Go(func() { c.run(listening) })
	}
	if !r.await(ctx, func() string { return r.unready() }) {
		r.report.violate(Violation{What: "not everybody could subscribe before any fault: " + r.unready()})
	}

	watching, stopWatching := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stopWatching()
	watch.Go(func() { r.watch.run(watching) })

	begin := time.Now()
	publishing, stopPublishing := context.WithCancel(ctx)
	defer stopPublishing()
	mend, giveUp := context.WithCancel(ctx)
	defer giveUp()
	for i := range r.config.Publishers {
		p := newPublisher(r, i)
		publishers.Go(func() { p.work(publishing, mend) })
	}
	r.inject(ctx, begin.Add(r.config.Duration))
	stopPublishing()
	r.report.Faulty = time.Since(begin)

	healing := time.Now()
	r.heal()
	watchdog := time.AfterFunc(3*r.config.Patience, giveUp) // publishers, the end, the hushed end
	defer watchdog.Stop()
	publishers.Wait()
	r.close(mend)
	r.tell("all healed; waiting for everybody to see the end")
	r.await(mend, func() string { return r.behind() })
	r.report.Settling = time.Since(healing)
	r.hush(mend)
	stopListening()
	clients.Wait()
	stopWatching()
	watch.Wait()
	if ctx.Err() != nil {
		return
	}
	r.judge()
}

// setUp draws the shape and starts what the actors need.
func (r *run) setUp() {
	shape := drawShape(r.config)
	r.report.Shape = shape.String()
	for i := range r.config.Channels {
		r.channels = append(r.channels, channelName(i))
	}
	r.truth.historySize = shape.history
	r.store = newStore(r.harness, shape)
	r.watch = newWatch(r)
	r.fleet = newFleet(r.harness, r.config.Relays, r.store, shape.env())
	polls := r.fleet.answersPolls()
	for i := range r.config.Clients {
		r.clients = append(r.clients, newClient(r, i, polls))
	}
}

// close publishes one last event to each channel; who sees it has seen all.
func (r *run) close(ctx context.Context) {
	p := newPublisher(r, r.config.Publishers)
	for _, channel := range r.channels {
		p.publish(ctx, []*item{p.newItem(channel, 0, "")})
	}
	for _, channel := range r.channels {
		r.truth.end(channel)
	}
}

// longRun is from where on a run takes the time to hush.
const longRun = time.Minute

// hush ends one channel with an event that no relay hears of, and that no
// later one gives away: only who compares heads now and then finds it. That
// takes half a minute, which short runs do not spend.
func (r *run) hush(ctx context.Context) {
	if r.config.Duration < longRun || ctx.Err() != nil {
		return
	}
	begin := time.Now()
	r.tell("the last event of " + r.channels[0] + " is not announced")
	r.publishUnheard(r.channels[0], "hushed", appendSilently)
	r.truth.end(r.channels[0])
	r.await(ctx, func() string { return r.behind() })
	r.report.Hushed = time.Since(begin)
}

// unready names somebody who has not subscribed yet, or nobody.
func (r *run) unready() string {
	for _, c := range r.clients {
		for _, channel := range c.channels {
			if _, ok := c.last(channel); !ok {
				return c.name + " on " + channel
			}
		}
	}
	return ""
}

// behind names somebody who has not seen the end yet, or nobody.
func (r *run) behind() string {
	for _, c := range r.clients {
		for _, channel := range c.channels {
			if at, _ := c.last(channel); at != r.truth.endOf(channel) {
				return c.name + " on " + channel
			}
		}
	}
	return ""
}

// await reports whether there was nobody left to wait for in time.
func (r *run) await(ctx context.Context, who func() string) bool {
	deadline := time.Now().Add(r.config.Patience)
	told := time.Now()
	for name := who(); name != ""; name = who() {
		if time.Since(told) > time.Second {
			told = time.Now()
			r.tell("waiting for " + name)
		}
		if time.Now().After(deadline) || !retry.Sleep(ctx, 20*time.Millisecond) {
			return false
		}
	}
	return true
}

func (r *run) tell(text string) {
	fmt.Fprintf(r.config.Progress, "%s %s\n", time.Now().Format("15:04:05.000"), text)
}

func (r *run) judge() {
	r.report.addTruth(r.truth)
	var logs []*log
	for _, c := range r.clients {
		r.report.addClient(c)
		logs = append(logs, c.log)
	}
	verdict := judge(r.truth, logs)
	r.report.Resets = verdict.resets
	r.report.Violations = append(r.report.Violations, verdict.violations...)
	r.report.Suppressed = verdict.suppressed
	r.judged = true
}
