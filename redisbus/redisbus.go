// Package redisbus carries events over Redis and keeps their history there:
// one script appends, advances the channel's head and publishes; a subscriber
// connection hears the channels this relay wants, each by its exact name. In a
// Cluster there is one to each master, and pub/sub is sharded.
//
// For a channel c and the prefix "relay:" Redis holds
//
//	relay:c          the stream with the history, and the pub/sub channel
//	{relay:c}h       the head: the last position, outliving the history
//	{relay:c}k:KEY   what an idempotency key was used for, for ten minutes
//
// The braces keep all of them in one slot of a Cluster.
package redisbus

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
	"golang.org/x/time/rate"

	"relay/bus"
	"relay/event"
	"relay/retry"
)

// Options configure a Bus.
type Options struct {
	// URL names the server: redis://, rediss:// or unix://, as
	// rueidis.ParseURL reads it.
	URL string
	// Fresh returns the URL as it is now, for one that comes from a file: user
	// and password of each new connection are taken from it. Nil: URL is it.
	Fresh func() string
	// Prefix stands before every name in Redis. A database other than 0
	// becomes part of it: pub/sub knows no databases.
	Prefix string
	// Retention says what is kept of each channel. Required.
	Retention bus.Keep
	// MaxEventBytes bounds the data of events that other Redis clients publish.
	MaxEventBytes int
	Metrics       Metrics // may be nil
	Log           *slog.Logger
}

// Bus implements bus.Bus.
type Bus struct {
	// Fixed after Open.
	options  Options
	client   rueidis.ClientOption
	prefix   string
	canary   string    // what the names of this relay's canary channels begin with
	started  time.Time // what canaries count from
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	listener *listener

	complain rate.Sometimes // bounds log lines about events that Redis refuses

	// conn is nil until Redis has answered for the first time.
	conn atomic.Pointer[rueidis.Client]

	mu       sync.Mutex
	receiver bus.Receiver
	trouble  error // why conn is nil
}

const (
	dialTimeout = 2 * time.Second
	// commandTimeout ends a connection whose server has stopped answering.
	commandTimeout = 5 * time.Second
	// maxRedirections is how many nodes may send one command elsewhere.
	maxRedirections = 4
	// connectPause is the longest pause between attempts to reach Redis.
	connectPause = time.Second
)

// Open makes a bus. It does not wait for Redis: until the server answers, the
// bus is not healthy, publishes nothing, and keeps trying. The error is about
// the options.
func Open(options Options) (*Bus, error) {
	client, err := rueidis.ParseURL(options.URL)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	client.Dialer.Timeout = dialTimeout
	client.ConnWriteTimeout = commandTimeout
	client.DisableCache = true
	// Keeps a goroutine reading on each connection, so that one that Redis has
	// closed is known as closed before the next event is sent into it.
	client.AlwaysPipelining = true
	// One connection for all that is published: events that wait for each other
	// go out in one write, and two connections would make two of it.
	client.PipelineMultiplex = -1
	client.ClientName = "relay"
	if client.Sentinel.MasterSet != "" {
		client.Sentinel.TopologyRefreshInterval = topologyRefresh
	}
	client.ClusterOption.ShardsRefreshInterval = topologyRefresh
	// Two nodes that disagree about a slot may send a command to and fro; the
	// driver does not pause between, Publish does.
	client.ClusterOption.MaxMovedRedirections = maxRedirections
	if options.Fresh != nil {
		client.AuthCredentialsFn = credentials(options.Fresh)
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Metrics == nil {
		options.Metrics = noMetrics{}
	}
	b := &Bus{
		options:  options,
		client:   client,
		prefix:   prefixFor(options.Prefix, client.SelectDB),
		canary:   "_canary." + event.NewTag().String() + event.NewTag().String() + ".",
		started:  time.Now(),
		complain: rate.Sometimes{First: 3, Interval: 10 * time.Second},
		trouble:  errors.New("the first connection to Redis is still being made"),
	}
	b.listener = newListener(b)
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b, nil
}

// credentials reads user and password anew for each connection, so that they
// can be changed under a running relay.
func credentials(url func() string) func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
	return func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
		now, err := rueidis.ParseURL(url())
		if err != nil {
			return rueidis.AuthCredentials{}, fmt.Errorf("redis URL: %w", err)
		}
		return rueidis.AuthCredentials{Username: now.Username, Password: now.Password}, nil
	}
}

// prefixFor makes a database part of the prefix. No channel's name begins
// with "_", so the names of two databases never meet.
func prefixFor(prefix string, database int) string {
	if database == 0 {
		return prefix
	}
	return prefix + "_" + strconv.Itoa(database) + ":"
}

// Attach implements bus.Bus, and starts.
func (b *Bus) Attach(r bus.Receiver) {
	b.mu.Lock()
	b.receiver = r
	b.mu.Unlock()
	b.tasks.Go(b.run)
}

// run connects for the first time, then hears until the bus is closed.
func (b *Bus) run() {
	for attempt := 0; ; attempt++ {
		client, err := rueidis.NewClient(b.client)
		if err == nil {
			b.conn.Store(&client)
			b.options.Log.Info("connected to Redis")
			b.listener.run(b.ctx, client)
			return
		}
		b.mu.Lock()
		first := attempt == 0 || b.trouble.Error() != err.Error()
		b.trouble = err
		b.mu.Unlock()
		if first {
			b.options.Log.Error("Redis cannot be reached; trying again until it can", "error", err)
		}
		if !retry.Sleep(b.ctx, backoff(attempt, connectPause)) {
			return
		}
	}
}

// redis returns the client, or ErrUnavailable with the reason.
func (b *Bus) redis() (rueidis.Client, error) {
	if c := b.conn.Load(); c != nil && b.ctx.Err() == nil {
		return *c, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return nil, fmt.Errorf("%w: %w", bus.ErrUnavailable, b.trouble)
}

// Listen implements bus.Bus.
func (b *Bus) Listen(channel string) { b.listener.want(channel, true) }

// Unlisten implements bus.Bus.
func (b *Bus) Unlisten(channel string) { b.listener.want(channel, false) }

// Healthy implements bus.Bus.
func (b *Bus) Healthy() error {
	if _, err := b.redis(); err != nil {
		return err
	}
	return b.listener.healthy()
}

// Close implements bus.Bus.
func (b *Bus) Close() {
	b.mu.Lock()
	b.trouble = errors.New("the relay is stopping")
	b.cancel()
	b.mu.Unlock()
	b.tasks.Wait()
	if c := b.conn.Load(); c != nil {
		(*c).Close()
	}
}

// begin starts a task for which Close waits. It reports false if the bus is
// closed.
func (b *Bus) begin(task func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return false
	}
	b.tasks.Go(task)
	return true
}

func (b *Bus) receiverNow() bus.Receiver {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.receiver
}

// Names in Redis.

func (b *Bus) stream(channel string) string { return b.prefix + channel }

func (b *Bus) head(channel string) string { return "{" + b.prefix + channel + "}h" }

func (b *Bus) key(channel, key string) string { return "{" + b.prefix + channel + "}k:" + key }

// backoff is the pause before the next attempt.
func backoff(attempt int, most time.Duration) time.Duration {
	return retry.Pause(attempt, 50*time.Millisecond, most)
}

// sleep reports whether d passed before ctx was done.
func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

var _ bus.Bus = (*Bus)(nil)
