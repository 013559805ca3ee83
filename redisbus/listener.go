package redisbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/redis/rueidis"

	"relay/event"
)

// listener keeps one subscriber connection to Redis on which this relay hears
// the channels it wants. After a lost connection it makes a new one and
// subscribes to all of them again; the receiver is told of each confirmation
// and then reads from history what it missed.
type listener struct {
	bus      *Bus
	complain rate.Sometimes // bounds log lines about what strangers publish

	mu      sync.Mutex
	wanted  map[string]bool
	changes []change // of wanted, not sent to Redis yet, in order
	kick    chan struct{}
	session int   // number of the connection; what an older one says does not count
	trouble error // why there is none now; nil if there is one
}

// change is a wish to be sent.
type change struct {
	channel string
	want    bool
}

// maxCommands bounds one pipeline of SUBSCRIBEs.
const maxCommands = 512

func newListener(b *Bus) *listener {
	return &listener{
		bus:      b,
		complain: rate.Sometimes{First: 3, Interval: 10 * time.Second},
		wanted:   make(map[string]bool),
		kick:     make(chan struct{}, 1),
		trouble:  errors.New("the subscriber connection to Redis is still being made"),
	}
}

// want notes a wish. It does not block.
func (l *listener) want(channel string, want bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wanted[channel] == want {
		return
	}
	if want {
		l.wanted[channel] = true
	} else {
		delete(l.wanted, channel)
	}
	l.changes = append(l.changes, change{channel, want})
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// failed notes why there is no connection, and reports whether that is news.
func (l *listener) failed(trouble error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := l.trouble == nil || l.trouble.Error() != trouble.Error()
	l.trouble = trouble
	return news
}

func (l *listener) healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

// run hears until ctx is done.
func (l *listener) run(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		begin := time.Now()
		err := l.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > connectPause {
			attempt = 0
		}
		if trouble := fmt.Errorf("the subscriber connection to Redis is lost: %w", err); l.failed(trouble) {
			l.bus.options.Log.Warn("the subscriber connection to Redis is lost; making a new one", "error", err)
		}
		if !sleep(ctx, backoff(attempt, connectPause)) {
			return
		}
	}
}

// hear makes a connection, subscribes to everything wanted, and sends changes
// until the connection ends.
func (l *listener) hear(ctx context.Context) error {
	client, err := l.bus.redis()
	if err != nil {
		return err
	}
	conn, release := client.Dedicate()
	defer release()
	defer conn.Close() // never back into the pool: it is subscribed

	session := l.begin()
	ended := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage:      func(m rueidis.PubSubMessage) { l.message(session, m) },
		OnSubscription: func(s rueidis.PubSubSubscription) { l.confirmed(session, s) },
	})
	if err := conn.Do(ctx, conn.B().Ping().Build()).Error(); err != nil {
		return err
	}
	for {
		if err := l.send(ctx, conn); err != nil {
			return err
		}
		l.mu.Lock()
		l.trouble = nil
		l.mu.Unlock()
		select {
		case <-l.kick:
		case err := <-ended:
			if err == nil {
				err = errors.New("the connection was closed")
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin starts a session: everything wanted is to be sent.
func (l *listener) begin() (session int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session++
	l.changes = l.changes[:0]
	for channel := range l.wanted {
		l.changes = append(l.changes, change{channel, true})
	}
	return l.session
}

// send sends the changes that wait, one name a command: of several names in
// one command the driver would wait for the first confirmation only.
func (l *listener) send(ctx context.Context, conn rueidis.DedicatedClient) error {
	for {
		batch := l.take()
		if len(batch) == 0 {
			return nil
		}
		commands := make([]rueidis.Completed, len(batch))
		for i, c := range batch {
			name := l.bus.stream(c.channel)
			if c.want {
				commands[i] = conn.B().Subscribe().Channel(name).Build()
			} else {
				commands[i] = conn.B().Unsubscribe().Channel(name).Build()
			}
		}
		for i, reply := range conn.DoMulti(ctx, commands...) {
			err := reply.Error()
			if err == nil {
				continue
			}
			if redisErr, ok := rueidis.IsRedisErr(err); !ok || !strings.HasPrefix(redisErr.Error(), "NOPERM") {
				// Busy, loading, gone: it passes. All is asked for again on a
				// new connection.
				return err
			}
			if batch[i].want {
				l.refused(batch[i].channel, err)
			}
		}
	}
}

func (l *listener) take() []change {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.changes), maxCommands)
	batch := append([]change(nil), l.changes[:n]...)
	l.changes = append(l.changes[:0], l.changes[n:]...)
	return batch
}

// refused gives a channel up that Redis does not let this relay subscribe to.
func (l *listener) refused(channel string, err error) {
	l.mu.Lock()
	delete(l.wanted, channel)
	l.mu.Unlock()
	l.bus.receiverNow().ListenFailed(channel, err)
}

// current reports whether a session is the one under way.
func (l *listener) current(session int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session == session
}

// confirmed runs on the connection's reading goroutine, in the order of the wire.
func (l *listener) confirmed(session int, s rueidis.PubSubSubscription) {
	channel, ok := strings.CutPrefix(s.Channel, l.bus.prefix)
	if s.Kind != "subscribe" || !ok || !l.current(session) {
		return
	}
	l.bus.receiverNow().Listening(channel)
}

// message runs on the connection's reading goroutine.
func (l *listener) message(session int, m rueidis.PubSubMessage) {
	channel, ok := strings.CutPrefix(m.Channel, l.bus.prefix)
	if !ok || !l.current(session) {
		return
	}
	receiver := l.bus.receiverNow()
	d, err := decodeMessage(channel, m.Message, l.bus.options.MaxEventBytes)
	if err != nil {
		receiver.Dropped(event.DropMalformed)
		l.complain.Do(func() {
			l.bus.options.Log.Warn("a message in Redis is not an event and is dropped", "channel", channel, "error", err)
		})
		return
	}
	receiver.Deliver(d)
}
