package stampede

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// crowd is all clients.
type crowd struct {
	shared, solo []string // channels
	clients      []*client
	running      sync.WaitGroup
}

// How the crowd is made up.
const (
	soloEvery   = 10 // every tenth client has a channel of its own
	arrivalPace = time.Millisecond / 2
)

func newCrowd(r *run) *crowd {
	c := &crowd{}
	for i := range r.config.Channels {
		c.shared = append(c.shared, c.open(r, fmt.Sprintf("shared.%d", i)))
	}
	for i := range r.config.Clients {
		channels := []string{c.shared[i%len(c.shared)]}
		if i/len(c.shared)%soloEvery == 0 {
			c.solo = append(c.solo, c.open(r, fmt.Sprintf("solo.%d", i)))
			channels = append(channels, c.solo[len(c.solo)-1])
		}
		c.clients = append(c.clients, newClient(r, i, channels))
	}
	return c
}

func (c *crowd) open(r *run, channel string) string {
	r.books[channel] = &book{}
	return channel
}

// arrive lets the clients come, one after the other.
func (c *crowd) arrive(ctx context.Context) {
	for i, one := range c.clients {
		c.running.Go(func() { one.live(ctx) })
		if i%10 == 0 {
			sleep(ctx, 10*arrivalPace)
		}
	}
}

// wait waits for the clients' end, after that of their context.
func (c *crowd) wait() { c.running.Wait() }

// away names a client that is not subscribed to all of its channels, or nobody.
func (c *crowd) away() string {
	for _, one := range c.clients {
		if !one.isBack() {
			return one.name
		}
	}
	return ""
}

// behind names a client that has not seen some event, or nobody.
func (c *crowd) behind(goal map[string]int64) string {
	for _, one := range c.clients {
		if channel, ok := one.hasSeen(goal); !ok {
			return one.name + " on " + channel
		}
	}
	return ""
}
