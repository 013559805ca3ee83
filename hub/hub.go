// Package hub holds one relay's connections and subscriptions, and fans
// events out to them. Doors (the transports) bring it connections; a bus
// brings it events. It knows no wire: a Format writes what it says, a Sink
// carries it.
//
// # Who runs
//
// A channel that some client of this relay wants is a topic, owned by one
// worker, chosen by the channel's name. Everything that concerns the topic
// (events from the bus, joining and leaving subscriptions, answers from
// history) goes through that worker's inbox, one after the other, so a topic
// needs no lock and its order is the order of the inbox. A connection has a
// lock of its own, held while frames are handed to its sink; a worker takes
// it for each delivery and never holds two.
//
// Lock order: Hub.mu → Conn.mu → worker.mu. A worker's goroutine holds none
// of them when it calls the bus.
package hub

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"relay/auth"
	"relay/bus"
	"relay/event"
)

// Options configure a Hub. The zero value of a field means its default.
type Options struct {
	// Workers is how many goroutines fan out; default GOMAXPROCS.
	Workers int
	// MaxConnections bounds the connections of this relay; default 100 000.
	MaxConnections int
	// MaxChannels bounds the subscriptions of one connection; default 128.
	MaxChannels int
	// Linger is how long a channel is listened to after its last subscriber
	// left, so that a page reload costs Redis nothing; default 5 s.
	Linger time.Duration
	// AuditEvery is how often a topic's last position is compared with the
	// bus's, which also renews it there; default 30 s.
	AuditEvery time.Duration
	// JoinTimeout is how long a subscription may wait for the bus; default 10 s.
	JoinTimeout time.Duration
	// PingInterval is told to clients in their welcome; default 25 s. The doors ping.
	PingInterval time.Duration
	// MaxAge is how old a connection may become before its client is sent to
	// look for a relay anew; 0: any age.
	MaxAge time.Duration
	// Generation names the relays that are rolled out together; empty: this
	// relay knows of no rollouts.
	Generation string
	Metrics    Metrics
	Log        *slog.Logger
}

func (o Options) withDefaults() Options {
	defaultTo(&o.Workers, runtime.GOMAXPROCS(0))
	defaultTo(&o.MaxConnections, 100_000)
	defaultTo(&o.MaxChannels, 128)
	defaultTo(&o.Linger, 5*time.Second)
	defaultTo(&o.AuditEvery, 30*time.Second)
	defaultTo(&o.JoinTimeout, 10*time.Second)
	defaultTo(&o.PingInterval, 25*time.Second)
	if o.Metrics == nil {
		o.Metrics = NoMetrics{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Hub is one relay's connections, subscriptions and fan-out.
type Hub struct {
	// Fixed after New.
	options Options
	bus     bus.Bus
	id      string // this relay's name among relays
	begun   time.Time
	seed    maphash.Seed
	workers []*worker
	ctx     context.Context // ends with Close; bounds reads of history
	cancel  context.CancelFunc
	tasks   sync.WaitGroup // workers and reads of history
	reads   pool           // of history

	heard   atomic.Bool // the bus has confirmed a channel
	control control

	mu     sync.Mutex
	conns  map[string]*Conn
	drain  drain
	closed bool
}

// New makes a hub over a bus and becomes the bus's receiver.
func New(b bus.Bus, options Options) *Hub {
	h := &Hub{
		options: options.withDefaults(),
		bus:     b,
		id:      event.RandomText(12),
		begun:   time.Now(),
		seed:    maphash.MakeSeed(),
		conns:   make(map[string]*Conn),
		drain:   drain{state: DrainServing, emptied: make(chan struct{}), done: make(chan struct{})},
	}
	h.reads = pool{most: maxReads, tasks: &h.tasks}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	for range h.options.Workers {
		w := newWorker(h)
		h.workers = append(h.workers, w)
		h.tasks.Go(w.run)
	}
	b.Attach(receiver{h})
	h.control.start(h)
	return h
}

// ID is this relay's name among relays, new at each start.
func (h *Hub) ID() string { return h.id }

// Heard reports whether the bus has ever been there: a hub asks for channels
// of its own as soon as it is made.
func (h *Hub) Heard() bool { return h.heard.Load() }

// WaitingBytes is about how much memory the events take that were heard and
// not handed to connections yet.
func (h *Hub) WaitingBytes() (n int) {
	for _, w := range h.workers {
		w.mu.Lock()
		n += w.bytes
		w.mu.Unlock()
	}
	return n
}

// PingInterval is how often doors ping their clients.
func (h *Hub) PingInterval() time.Duration { return h.options.PingInterval }

// MaxChannels is how many subscriptions one connection may have.
func (h *Hub) MaxChannels() int { return h.options.MaxChannels }

var (
	// ErrDraining: this relay is leaving and takes no new connection.
	ErrDraining = errors.New("this relay is leaving; connect again and another one will answer")
	// ErrFull: this relay holds as many connections as it may.
	ErrFull = errors.New("this relay holds as many connections as it may; try again later")
)

// Admits says whether a new stream would be taken, while a door can still
// refuse it with an HTTP status. Connect decides.
func (h *Hub) Admits() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.admits("")
}

func (h *Hub) admits(visit string) error {
	switch {
	case h.closed || !h.takes(visit):
		return ErrDraining
	case len(h.conns) >= h.options.MaxConnections:
		return ErrFull
	}
	return nil
}

// Newcomer is what a door knows about a client that has just arrived.
type Newcomer struct {
	Grant auth.Grant
	// Resumes is the ID of the client's connection before this one, if it
	// says so: what excluded that one excludes this one too.
	Resumes string
	// Visit is set for a client that is answered and goes, and comes again (a
	// poller), and names it as it will be named then. A relay that leaves takes
	// it until it is its turn to be released.
	Visit string
	// Ticket makes, of the grant, what lets the client in elsewhere without its
	// token; "" if it cannot. Nil: this door has no tickets.
	Ticket func(auth.Grant) string
	Sink   Sink
	Format Format
}

// Connect takes a connection in and welcomes it. The door must call Gone
// when the transport is over, whoever ended it.
func (h *Hub) Connect(n Newcomer) (*Conn, error) {
	c := &Conn{
		hub: h, id: event.RandomText(20), resumes: n.Resumes,
		visit: n.Visit, ticket: n.Ticket,
		sink: n.Sink, format: n.Format, since: time.Now(),
	}
	h.mu.Lock()
	if err := h.admits(n.Visit); err != nil {
		h.mu.Unlock()
		return nil, err
	}
	h.conns[c.id] = c
	if c.visit != "" {
		h.drain.visited = c.since
	}
	releasing := h.drain.state == DrainReleasing
	h.mu.Unlock()
	h.options.Metrics.ConnectionOpened(c.format.Transport())
	c.welcome(n.Grant)
	if releasing {
		h.dismiss(c)
	}
	return c, nil
}

// Refused counts a client that a door turned away, and what it was told.
func (h *Hub) Refused(transport string, code event.Code) {
	h.options.Metrics.ConnectionRefused(transport, code)
}

// forget removes a connection that is gone.
func (h *Hub) forget(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c.id)
	h.noteEmpty()
}

// connections returns the connections of this moment.
func (h *Hub) connections() []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*Conn, 0, len(h.conns))
	for _, c := range h.conns {
		list = append(list, c)
	}
	return list
}

// Connections counts the connections of this moment.
func (h *Hub) Connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Close ends the connections that are left and all goroutines of the hub. The
// bus must still be open, and is closed by its owner afterwards.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	for _, c := range h.connections() {
		c.Close(event.ReasonDraining, "")
	}
	h.cancel()
	for _, w := range h.workers {
		w.stop()
	}
	h.tasks.Wait()
}

// workerOf returns the one worker that owns a channel.
func (h *Hub) workerOf(channel string) *worker {
	return h.workers[maphash.String(h.seed, channel)%uint64(len(h.workers))]
}

// receiver hands what the bus hears to the workers.
type receiver struct{ hub *Hub }

var _ bus.Receiver = receiver{}

func (r receiver) Deliver(d bus.Delivery) {
	r.hub.options.Metrics.Received()
	r.hub.workerOf(d.Event.Channel).deliver(d)
}

func (r receiver) Listening(channel string) {
	r.hub.heard.Store(true)
	r.hub.workerOf(channel).post(task{kind: taskListening, channel: channel})
}

func (r receiver) ListenFailed(channel string, err error) {
	r.hub.options.Log.Error("the bus refuses a channel", "channel", channel, "error", err)
	r.hub.workerOf(channel).post(task{kind: taskRefused, channel: channel})
}

func (r receiver) Dropped(reason event.Reason) { r.hub.options.Metrics.Dropped(reason) }
