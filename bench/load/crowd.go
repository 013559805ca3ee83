package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"relay/bench/measure"
)

// CrowdOptions describe a crowd of clients.
type CrowdOptions struct {
	// URL is the public listener.
	URL       string
	Transport Transport
	Token     string
	// Compress has WebSocket clients ask for compressed messages.
	Compress bool
	// Clients is how many connections to make; client i follows channel i,
	// counted around the list.
	Clients  int
	Channels []string
	// Lanes is how many publishers number their events on a channel.
	Lanes int
	// AtOnce bounds the connections being made at a time.
	AtOnce int
	// Loops is how many threads read.
	Loops int
}

// Crowd is many clients. Its methods may be called from any goroutine.
type Crowd struct {
	options CrowdOptions
	groups  []*group
	driver  driver

	live      atomic.Int64
	gone      atomic.Int64
	delivered atomic.Uint64
}

// driver does the input and output of the clients.
type driver interface {
	// start begins to connect, and returns at once.
	start() error
	// busy is the CPU time of the busiest thread so far, 0 if it is not known.
	busy() []time.Duration
	close()
}

// group is the clients that one loop serves.
type group struct {
	crowd    *Crowd
	endpoint endpoint
	clients  []*client
	inflater *inflater // nil: nobody compresses

	mu    sync.Mutex // over the tally and all clients
	tally Tally
}

// receive hands a client what was read for it.
func (g *group) receive(c *client, b []byte, fresh int) (reply []byte, err error) {
	before, wasLive := g.tally.Deliveries, c.live
	reply, err = c.receive(b, fresh, now(), &g.tally)
	if c.live && !wasLive {
		g.crowd.live.Add(1)
	}
	if n := g.tally.Deliveries - before; n > 0 {
		g.crowd.delivered.Add(n)
	}
	return reply, err
}

// end notes that a client has lost its connection.
func (g *group) end(c *client, why error) {
	g.tally.end(why.Error())
	g.crowd.gone.Add(1)
	if c.live {
		g.crowd.live.Add(-1)
	}
}

// NewCrowd makes a crowd that is not connected yet.
func NewCrowd(o CrowdOptions) (*Crowd, error) {
	e, err := parseEndpoint(o.URL)
	if err != nil {
		return nil, err
	}
	if len(o.Channels) == 0 || o.Transport != WebSocket && o.Transport != EventStream {
		return nil, fmt.Errorf("a crowd needs channels and a transport, and has %d and %q", len(o.Channels), o.Transport)
	}
	o.Lanes, o.AtOnce = max(o.Lanes, 1), cmp.Or(o.AtOnce, 256)
	c := &Crowd{options: o}
	for range min(max(o.Loops, 1), max(o.Clients, 1)) {
		g := &group{crowd: c, endpoint: e}
		if o.Compress && o.Transport == WebSocket {
			g.inflater = newInflater()
		}
		c.groups = append(c.groups, g)
	}
	made := make(map[int]*channel)
	for i := range o.Clients {
		index := i % len(o.Channels)
		if made[index] == nil {
			made[index] = newChannel(index, o.Channels[index], &o, e)
		}
		g := c.groups[i%len(c.groups)]
		g.clients = append(g.clients, &client{
			channel: made[index], transport: o.Transport, order: make([]measure.Sequence, o.Lanes), inflater: g.inflater,
		})
	}
	c.driver = newDriver(c, e)
	return c, nil
}

// Live is how many clients are subscribed now.
func (c *Crowd) Live() int { return int(c.live.Load()) }

// Delivered is how many events have reached clients since the crowd was made.
func (c *Crowd) Delivered() uint64 { return c.delivered.Load() }

// Connect makes the connections and waits until the relay has said
// `subscribed` to each. The error is about those it could not make.
func (c *Crowd) Connect(ctx context.Context) error {
	if err := c.driver.start(); err != nil {
		return err
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for c.Live()+int(c.gone.Load()) < c.options.Clients {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if c.gone.Load() == 0 {
		return nil
	}
	t := c.Tally()
	return fmt.Errorf("%d of %d clients could not connect: %s", t.Gone(), c.options.Clients, t.worst())
}

// worst is the reason that ended most clients.
func (t *Tally) worst() string {
	worst := ""
	for reason, n := range t.Ended {
		if n > t.Ended[worst] || n == t.Ended[worst] && reason < worst {
			worst = reason
		}
	}
	return worst
}

// ErrStalled says that events are missing and no more come.
var ErrStalled = errors.New("events are missing, and for ten seconds none has come")

// stallPatience is how long nothing may come while something is missing.
const stallPatience = 10 * time.Second

// Wait waits until the crowd has got this many events since it was made.
func (c *Crowd) Wait(ctx context.Context, deliveries uint64) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	last, since := c.Delivered(), time.Now()
	for last < deliveries {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if got := c.Delivered(); got != last {
			last, since = got, time.Now()
		}
		if time.Since(since) > stallPatience {
			return ErrStalled
		}
	}
	return nil
}

// Begin sets the tally to nothing. What is known about the order of events
// stays: a number that came before must not come again.
func (c *Crowd) Begin() {
	busy := c.driver.busy()
	for i, g := range c.groups {
		g.mu.Lock()
		g.tally = Tally{}
		if i < len(busy) {
			g.tally.Busy = -busy[i]
		}
		g.mu.Unlock()
	}
}

// Tally is what the crowd has seen since Begin.
func (c *Crowd) Tally() Tally {
	busy := c.driver.busy()
	var all Tally
	for i, g := range c.groups {
		g.mu.Lock()
		one := g.tally.clone()
		one.Busy = g.tally.Busy
		g.mu.Unlock()
		if i < len(busy) {
			one.Busy += busy[i]
		}
		all.Merge(&one)
	}
	return all
}

// Missing counts what never came, when sent[channel*lanes+lane] events were
// sent on each channel and lane.
func (c *Crowd) Missing(sent []uint64) measure.Order {
	var all measure.Order
	for _, g := range c.groups {
		g.mu.Lock()
		for _, client := range g.clients {
			for lane := range client.order {
				all.Add(client.order[lane].End(sent[client.channel.index*c.options.Lanes+lane]))
			}
		}
		g.mu.Unlock()
	}
	return all
}

// Close ends all connections without a goodbye.
func (c *Crowd) Close() { c.driver.close() }

// perSource is how many connections share a source address: fewer than the
// system has ports for one.
const perSource = 20_000

// sourceOf is the loopback address from which a client connects, since all
// connections to one listener need different ports or addresses. It is zero,
// for the system to choose, unless the relay listens on IPv4's loopback.
func sourceOf(addr string, client int) netip.Addr {
	to, err := netip.ParseAddrPort(addr)
	if err != nil || !to.Addr().Is4() || !to.Addr().IsLoopback() {
		return netip.Addr{}
	}
	n := client/perSource + 1
	return netip.AddrFrom4([4]byte{127, 0, byte(n >> 8), byte(n)})
}

// ChannelNames makes n names that begin with prefix.
func ChannelNames(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s.%d", prefix, i)
	}
	return names
}
