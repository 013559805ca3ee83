package stampede

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"relay/tests/crowd"
)

// Report is what a run came to.
type Report struct {
	Config Config
	Phases []*Phase
	// Events were published and acknowledged.
	Events int64
	// Totals are the relays' own counts of why connections ended and what was
	// dropped, of the processes that were running at the end.
	Totals []string
	// Violations are broken promises.
	Violations []string
}

// Phase is one scene, from its begin until everybody was back and had caught up.
type Phase struct {
	Name string
	// Did is when the scene was over for the fleet, Back when all clients were
	// subscribed, CaughtUp when all had seen what had been acknowledged by then.
	Did, Back, CaughtUp time.Duration
	Counts
	// Peak is the most clients that came within any one second.
	Peak int64
	// Memory is the most that a process of each relay's place, and that of the
	// crowd, has had in memory so far.
	Memory [relays + 1]int64
	// Drains is how relays left that were told to.
	Drains []drain

	begin  time.Time
	before Counts
}

// Counts are numbers that only grow, or their growth.
type Counts struct {
	crowd.Tally
	// CPU is the processor time of each relay's place, and the crowd's.
	CPU   [relays + 1]time.Duration
	Redis calls
}

func (c Counts) minus(before Counts) Counts {
	c.Tally = c.Tally.Minus(before.Tally)
	for i := range c.CPU {
		c.CPU[i] -= before.CPU[i]
	}
	c.Redis = c.Redis.minus(before.Redis)
	return c
}

// Reads is how often history, or a channel's position, was asked for.
func (p *Phase) Reads() int64 { return max(0, p.Redis["evalsha"]-p.Redis["xadd"]) }

func (p *Phase) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: fleet %v, all back after %v, caught up after %v\n", p.Name,
		p.Did.Round(time.Millisecond), p.Back.Round(time.Millisecond), p.CaughtUp.Round(time.Millisecond))
	fmt.Fprintf(&b, "  came %d (at most %d/s), handshakes and polls %d, resets %d, publishes repeated %d\n",
		p.Came, p.Peak, p.Handshakes, p.Resets, p.Refused)
	fmt.Fprintf(&b, "  events live %d (p50 %v, p99 %v, all %v), late %d (p50 %v, all %v)\n",
		p.Live.Count(), p.Live.Quantile(.5), p.Live.Quantile(.99), p.Live.Quantile(1),
		p.Late.Count(), p.Late.Quantile(.5), p.Late.Quantile(1))
	fmt.Fprintf(&b, "  redis: scripts %d, of these reads %d; SUBSCRIBE %d, UNSUBSCRIBE %d\n",
		p.Redis["evalsha"], p.Reads(), p.Redis["subscribe"], p.Redis["unsubscribe"])
	if len(p.Drains) > 0 {
		fmt.Fprintf(&b, "  left after %v\n", p.Drains)
	}
	b.WriteString("  processor:")
	for i, d := range p.CPU {
		fmt.Fprintf(&b, " %s %.2fs", placeName(i), d.Seconds())
	}
	b.WriteString("; memory so far:")
	for i, m := range p.Memory {
		fmt.Fprintf(&b, " %s %d MiB", placeName(i), m>>20)
	}
	b.WriteByte('\n')
	for _, end := range slices.Sorted(maps.Keys(p.Ends)) {
		fmt.Fprintf(&b, "  %7d  %s\n", p.Ends[end], end)
	}
	return b.String()
}

func placeName(i int) string {
	if i == crowdItself {
		return "crowd"
	}
	return fmt.Sprintf("relay %d", i+1)
}

func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d clients, %d relays, %d shared channels with %g events/s, channels of one client each with %g events/s; %d events acknowledged\n\n",
		r.Config.Clients, relays, r.Config.Channels, r.Config.Rate, r.Config.SoloRate, r.Events)
	for _, p := range r.Phases {
		fmt.Fprintf(&b, "%v\n", p)
	}
	for _, line := range r.Totals {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintf(&b, "\nviolations: %d\n", len(r.Violations))
	for _, v := range r.Violations {
		fmt.Fprintln(&b, "  "+v)
	}
	return b.String()
}

// scrape returns what a relay counts of closes and drops, where it counts any.
func scrape(ops string) []string {
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get(ops + "/metrics")
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	var found []string
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		text := lines.Text()
		for _, name := range []string{"relay_connections_closed_total", "relay_events_dropped_total", "relay_alignments_total", "relay_resumes_total", "relay_resets_total"} {
			if strings.HasPrefix(text, name+"{") && !strings.HasSuffix(text, " 0") {
				found = append(found, text)
			}
		}
	}
	return found
}
