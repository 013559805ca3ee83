package growth

import (
	"fmt"
	"strings"
	"time"

	"relay/bench/plot"
	"relay/bench/process"
	"relay/tests/relaytest"
)

// arraySize is how many events one request of the points over instances has.
const arraySize = 20

// instances measures what one more relay costs that has a subscriber of the
// channel: Redis, which announces each event to all of them, and the relay that
// publishes, which should not notice.
func (r *run) instances() (plot.Named, error) {
	title := "one channel, by the relays that listen"
	ofRedis := plot.Series{Class: "generator", Name: "Redis", Line: true, Dots: true}
	ofRelay := plot.Series{Class: "relay", Name: "the publishing relay", Line: true, Dots: true}
	ofListener := plot.Series{Class: "floor", Name: "each listening relay", Line: true, Dots: true}
	for _, n := range r.config.Instances {
		redis, publisher, listener := r.publishTo(n)
		ofRedis.Points = append(ofRedis.Points, r.point(title, ofRedis.Name, n, redis))
		ofRelay.Points = append(ofRelay.Points, r.point(title, ofRelay.Name, n, publisher))
		ofListener.Points = append(ofListener.Points, r.point(title, ofListener.Name, n, listener))
	}
	return figure(title, "relays", "µs of CPU per event", ofRedis, ofRelay, ofListener), nil
}

// publishTo publishes through a relay without clients, to so many others with
// one each, and returns the CPU per event of Redis, of the first, and of each
// of the others, in microseconds.
func (r *run) publishTo(count int) (redis, publisher, listener float64) {
	url := "RELAY_REDIS_URL=" + r.redis.URL()
	through := relaytest.StartPlain(r.harness, url)
	defer through.Kill()
	clients := make([]*relaytest.WS, count)
	pids := []int{r.redis.PID(), through.PID()}
	for i := range clients {
		relay := relaytest.StartPlain(r.harness, url)
		defer relay.Kill()
		clients[i] = relay.WebSocket(r.harness, "channel=growth")
		relaytest.Welcome(r.harness, clients[i], 1)
		pids = append(pids, relay.PID())
	}
	before := r.cpu(pids)
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"channel":"growth","event":"n","data":"`+strings.Repeat("x", 126)+`"},`, arraySize), ",") + "]"
	heard := make(chan error, count)
	for _, c := range clients {
		go func() { heard <- r.hear(c) }()
	}
	for range r.config.Events / arraySize {
		through.Publish(r.harness, body)
	}
	for range clients { // what is not delivered yet is not paid for yet
		if err := <-heard; err != nil {
			r.harness.Fatal(err)
		}
	}
	after := r.cpu(pids)
	perEvent := func(i int) float64 {
		return float64((after[i] - before[i]).Microseconds()) / float64(r.config.Events)
	}
	for i := range clients {
		listener += perEvent(2+i) / float64(count)
	}
	return perEvent(0), perEvent(1), listener
}

// hear reads all events.
func (r *run) hear(c *relaytest.WS) error {
	for range r.config.Events / arraySize * arraySize {
		if f, err := c.Read(r.ctx); err != nil || f.Type != "event" {
			return fmt.Errorf("a client got %+v: %w", f, err)
		}
	}
	return nil
}

func (r *run) cpu(pids []int) []time.Duration {
	used := make([]time.Duration, len(pids))
	for i, pid := range pids {
		cpu, err := process.CPU(pid)
		if err != nil {
			r.harness.Fatal(err)
		}
		used[i] = cpu.Total()
	}
	return used
}
