// Package crowd is thousands of clients, the apps that publish to them, and
// the judge of what they see. It knows relays by their addresses only, so it
// is at home wherever they run.
//
// The verdict shares no code with the relay's: every event carries its number
// in its channel, and each client has to see each number once and in order,
// across all of its connections.
package crowd

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"relay/retry"
)

// Config says who comes, how much is published, and where the relays are.
type Config struct {
	// Clients is how many there are. Of ten, seven speak WebSocket, two
	// EventSource and one polls. Every tenth has, beside a channel that it
	// shares, one of its own.
	Clients int
	// Channels are shared by the clients.
	Channels int
	// Rate is how many events a second the shared channels get together.
	// Each goes to Clients/Channels clients.
	Rate float64
	// SoloRate is how many the clients' own channels get together.
	SoloRate float64
	// Public are the relays' addresses for clients. A client that finds nobody
	// there, or is refused, tries the next, as a load balancer would do; one
	// address may itself be that of a load balancer.
	Public []string
	// Publish are the addresses that take events, one as good as the other.
	Publish []string
	// Host is what requests name as theirs; empty: the address.
	Host string
	// Key is shown to who takes events; empty: none.
	Key string
}

// Crowd is all clients and their publishers.
type Crowd struct {
	config       Config
	books        map[string]*book // by channel
	shared, solo []string         // channels
	clients      []*client
	running      sync.WaitGroup
	wrongs       wrongs

	// What is counted; see Tally.
	handshakes, resets, refused atomic.Int64
	live, late                  recorder
	ends                        ends
	arrivals                    arrivals
}

// How the crowd is made up.
const (
	soloEvery   = 10 // every tenth client has a channel of its own
	arrivalPace = time.Millisecond / 2
)

// New makes a crowd that has not come yet.
func New(config Config) *Crowd {
	c := &Crowd{config: config, books: make(map[string]*book)}
	for i := range config.Channels {
		c.shared = append(c.shared, c.open(fmt.Sprintf("shared.%d", i)))
	}
	for i := range config.Clients {
		channels := []string{c.shared[i%len(c.shared)]}
		if i/len(c.shared)%soloEvery == 0 {
			c.solo = append(c.solo, c.open(fmt.Sprintf("solo.%d", i)))
			channels = append(channels, c.solo[len(c.solo)-1])
		}
		c.clients = append(c.clients, newClient(c, i, channels))
	}
	return c
}

func (c *Crowd) open(channel string) string {
	c.books[channel] = &book{}
	return channel
}

// Arrive lets the clients come, one after the other. They come back as often
// as they are sent away, until ctx ends.
func (c *Crowd) Arrive(ctx context.Context) {
	for i, one := range c.clients {
		c.running.Go(func() { one.live(ctx) })
		if i%10 == 0 {
			retry.Sleep(ctx, 10*arrivalPace)
		}
	}
}

// Wait waits for the clients' end, after that of their context.
func (c *Crowd) Wait() { c.running.Wait() }

// Away names a client that is not subscribed to all of its channels, or nobody.
func (c *Crowd) Away() string {
	for _, one := range c.clients {
		if !one.isBack() {
			return one.name
		}
	}
	return ""
}

// Taken is how many events each channel has had that were acknowledged.
func (c *Crowd) Taken() map[string]int64 {
	taken := make(map[string]int64, len(c.books))
	for channel, b := range c.books {
		taken[channel] = b.taken()
	}
	return taken
}

// Behind names a client that has not seen some event of those that were taken,
// or nobody.
func (c *Crowd) Behind(taken map[string]int64) string {
	for _, one := range c.clients {
		if channel, ok := one.hasSeen(taken); !ok {
			return one.name + " on " + channel
		}
	}
	return ""
}

// Await waits until there is nobody left to wait for, and else says who.
func (c *Crowd) Await(ctx context.Context, patience time.Duration, who func() string) string {
	deadline := time.Now().Add(patience)
	for {
		name := who()
		if name == "" || time.Now().After(deadline) || !retry.Sleep(ctx, 20*time.Millisecond) {
			return name
		}
	}
}

// Complain adds to the broken promises.
func (c *Crowd) Complain(format string, args ...any) { c.wrongs.add(format, args...) }

// Wrongs are the broken promises so far.
func (c *Crowd) Wrongs() []string { return c.wrongs.all() }
