//go:build kube

package kube

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"relay/retry"
)

// sampler looks at a crowd and at the pods once a second.
type sampler struct {
	n        *namespace
	audience *audience
	begin    time.Time
	pods     map[Pod]string // to addresses
	listed   time.Time

	mu       sync.Mutex
	timeline Timeline
}

// sample begins to look. It ends with the test, or when it is stopped.
func (n *namespace) sample(a *audience) (s *sampler, stop func()) {
	s = &sampler{n: n, audience: a, begin: time.Now()}
	ctx, cancel := context.WithCancel(a.ctx)
	var looking sync.WaitGroup
	looking.Go(func() { s.run(ctx) })
	stop = func() {
		cancel()
		looking.Wait()
	}
	n.t.Cleanup(stop)
	return s, stop
}

func (s *sampler) run(ctx context.Context) {
	before, since := s.audience.Tally(), time.Now()
	for retry.Sleep(ctx, time.Until(since.Add(time.Second))) {
		now, at := s.audience.Tally(), time.Now()
		passed := now.Minus(before)
		m := Moment{
			At: at.Sub(s.begin), Came: float64(passed.Came) / at.Sub(since).Seconds(),
			P99: passed.Live.Quantile(.99), Connections: s.connections(ctx),
		}
		s.mu.Lock()
		s.timeline.Moments = append(s.timeline.Moments, m)
		s.mu.Unlock()
		before, since = now, at
	}
}

// listing is how often it asks which pods there are; each costs a kubectl.
const listing = 5 * time.Second

// list finds the address of every pod's relay.
func (s *sampler) list() {
	out, err := command("", "kubectl", "--namespace", s.n.name, "get", "pods", "-l", "app=app", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.pod-template-hash} {.status.podIP}{"\n"}{end}`)
	if err != nil {
		return
	}
	s.pods = make(map[Pod]string)
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) == 3 {
			s.pods[Pod{fields[0], fields[1]}] = fields[2]
		}
	}
}

// connections asks every relay. One that does not answer has none.
func (s *sampler) connections(ctx context.Context) map[Pod]int {
	if time.Since(s.listed) >= listing {
		s.list()
		s.listed = time.Now()
	}
	all := make(map[Pod]int)
	for pod, ip := range s.pods {
		if count, ok := connectionsOf(ctx, ip); ok {
			all[pod] = count
		}
	}
	return all
}

// connectionsOf reads a relay's relay_connections, of all transports.
func connectionsOf(ctx context.Context, ip string) (count int, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ip+":8082/metrics", nil)
	if err != nil {
		return 0, false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, false
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "relay_connections{") {
			continue
		}
		_, value, _ := strings.Cut(lines.Text(), "} ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			count, ok = count+int(n), true
		}
	}
	return count, ok
}

// drawn is the timeline so far.
func (s *sampler) drawn(pace float64) *Timeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Timeline{Moments: slices.Clip(s.timeline.Moments), Pace: pace}
}
