package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"relay/bench/load"
	"relay/bench/measure"
)

// session is a scenario being run.
type session struct {
	Options
	ctx      context.Context
	report   *Report
	progress *progress
	names    int // how often channel names were made
}

// channels makes names that were not used before in this process or another.
func (s *session) channels(n int) []string {
	s.names++
	return load.ChannelNames(fmt.Sprintf("bench.%d-%d", time.Now().UnixNano()%1e9, s.names), n)
}

// inTurn measures targets in turn, all of them in each run: relay, floor,
// relay, floor. What disturbs the machine then disturbs both.
func (s *session) inTurn(targets []*target, title string, one func(*target) (Trial, error)) ([]Trial, error) {
	var runs []Trial
	for number := 1; number <= s.Runs; number++ {
		turn, err := s.turn(targets, title, number, one)
		if err != nil {
			return nil, err
		}
		runs = append(runs, turn...)
	}
	return runs, nil
}

// anew is inTurn with processes that are started anew for each run, and adds
// to a result which they were and what was measured.
func (s *session) anew(result *Result, one func(*target) (Trial, error)) error {
	for number := 1; number <= s.Runs; number++ {
		targets, stop, err := s.open(floorName, FloorSockets)
		if err != nil {
			return err
		}
		turn, err := s.turn(targets, result.Scenario, number, one)
		stop()
		if err != nil {
			return err
		}
		result.Targets = targetNames(targets)
		result.Runs = append(result.Runs, turn...)
	}
	return nil
}

// turn measures each target once.
func (s *session) turn(targets []*target, title string, number int, one func(*target) (Trial, error)) ([]Trial, error) {
	var runs []Trial
	for _, t := range targets {
		s.progress.begin(fmt.Sprintf("%s: run %d of %d, %s", title, number, s.Runs, t.name))
		run, err := one(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, t.explain(err))
		}
		run.Target, run.Number = t.name, number
		runs = append(runs, run)
		s.progress.end()
	}
	return runs, nil
}

// explain adds the log of a process that has ended.
func (t *target) explain(err error) error {
	if t.child != nil && t.child.Ended() {
		return fmt.Errorf("%w; its process has ended:\n%s", err, t.child.Log())
	}
	return err
}

// open opens the relay and, if there is one, what it is compared with.
func (s *session) open(floorName, kind string) (targets []*target, stop func(), err error) {
	stop = func() {
		for _, t := range targets {
			t.stop()
		}
	}
	t, err := s.openRelay()
	if err != nil {
		return nil, nil, err
	}
	targets = append(targets, t)
	other, err := s.openOther(floorName, kind)
	if err != nil {
		stop()
		return nil, nil, err
	}
	if other != nil {
		targets = append(targets, other)
	}
	return targets, stop, nil
}

func targetNames(targets []*target) []string {
	var names []string
	for _, t := range targets {
		names = append(names, t.name)
	}
	return names
}

// gather connects a crowd to a target.
func (s *session) gather(t *target, channels []string, lanes int) (*load.Crowd, error) {
	crowd, err := load.NewCrowd(load.CrowdOptions{
		URL: t.at.PublicURL, Transport: s.Transport, Token: t.at.Token, Compress: t.compress,
		Clients: s.Clients, Channels: channels, Lanes: lanes, Loops: loops(),
	})
	if err != nil {
		return nil, err
	}
	if err := crowd.Connect(s.ctx); err != nil {
		crowd.Close()
		return nil, err
	}
	return crowd, nil
}

// leave disperses a crowd, and waits until the target has noticed: what it
// still works must not disturb the measurement of the next.
func (s *session) leave(t *target, crowd *load.Crowd) {
	crowd.Close()
	s.quiet(t)
}

const (
	quietInterval = 100 * time.Millisecond
	quietShare    = 0.1 // of a core
	quietPatience = 10 * time.Second
)

// quiet waits until the target does next to nothing.
func (s *session) quiet(t *target) {
	before, err := t.cpu(s.ctx)
	if err != nil {
		return
	}
	for deadline := time.Now().Add(quietPatience); time.Now().Before(deadline); {
		if !sleep(s.ctx, quietInterval) {
			return
		}
		after, err := t.cpu(s.ctx)
		if err != nil || after.Since(before).Total() < time.Duration(quietShare*float64(quietInterval)) {
			return
		}
		before = after
	}
}

// sleep reports whether d passed before ctx was done. (The relay has its like,
// but what measures it uses nothing of it.)
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil // a load that is late must not become later by a timer
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// measured is a load's own account of itself.
type measured struct {
	events uint64
	// expected is how many deliveries must follow from all that was published
	// since the crowd was made.
	expected uint64
	posts    measure.Histogram
	late     measure.Histogram
}

// observe measures a target while work puts a load on it, until all that it
// published has arrived. crowd may be nil, if nobody listens.
func (s *session) observe(t *target, crowd *load.Crowd, work func() (measured, error)) (Trial, error) {
	var before uint64
	if crowd != nil {
		crowd.Begin()
		before = crowd.Delivered()
	}
	first, err := s.look(t)
	if err != nil {
		return Trial{}, err
	}
	line := startTimeline(crowd)
	m, err := work()
	if err == nil && crowd != nil {
		if err = crowd.Wait(s.ctx, m.expected); errors.Is(err, load.ErrStalled) {
			err = nil // it will be counted as lost
		}
	}
	timeline := line.stop()
	if err != nil {
		return Trial{}, err
	}
	last, err := s.look(t)
	if err != nil {
		return Trial{}, err
	}
	run := Trial{Values: make(map[string]float64), Timeline: timeline, TimelineInterval: timelineInterval.Seconds()}
	run.Checks.Events = m.events
	used := last.since(first)
	used.put(&run, m.events)
	seconds := used.wall.Seconds()
	run.Values[eventsRate] = float64(m.events) / seconds
	run.Values[postP50], run.Values[postP99] = millis(m.posts.Percentile(50)), millis(m.posts.Percentile(99))
	if m.late.Count() > 0 {
		run.Values[generatorLate] = millis(m.late.Percentile(99))
	}
	if crowd == nil {
		return run, nil
	}
	tally := crowd.Tally()
	run.Checks.Expected = m.expected - before
	run.tally(&tally, used)
	return run, nil
}

// tally adds what a crowd has seen.
func (r *Trial) tally(t *load.Tally, used usage) {
	r.Checks.Deliveries, r.Checks.Strangers, r.Checks.Ended = t.Deliveries, t.Strangers, t.Ended
	r.Checks.Order = t.Order
	r.latency = t.Latency.Clone()
	r.Values[deliveriesRate] = float64(t.Deliveries) / used.wall.Seconds()
	if t.Busy > 0 {
		r.Values[generatorBusy] = 100 * t.Busy.Seconds() / used.wall.Seconds()
	}
	if t.Deliveries == 0 {
		return
	}
	n := float64(t.Deliveries)
	r.Values[wireBytes] = float64(t.Bytes) / n
	if t.Compressed > 0 {
		r.Values[compressedShare] = 100 * float64(t.Compressed) / n
	}
	r.Values[latencyP50] = millis(t.Latency.Percentile(50))
	r.Values[latencyP99] = millis(t.Latency.Percentile(99))
	r.Values[latencyP999] = millis(t.Latency.Percentile(99.9))
	if used.known {
		r.Values[cpuPerDelivery] = micros(used.cpu.Total()) / n
		r.Values[userPerDelivery] = micros(used.cpu.User) / n
		r.Values[sysPerDelivery] = micros(used.cpu.System) / n
	}
	if used.generator > 0 {
		r.Values[generatorCPU] = micros(used.generator) / n
	}
}

// timeline samples how many events arrive.
type timeline struct {
	crowd  *load.Crowd
	end    chan struct{}
	values chan []float64
}

const timelineInterval = 100 * time.Millisecond

func startTimeline(crowd *load.Crowd) *timeline {
	l := &timeline{crowd: crowd, end: make(chan struct{}), values: make(chan []float64, 1)}
	go l.run()
	return l
}

func (l *timeline) run() {
	if l.crowd == nil {
		l.values <- nil
		return
	}
	var values []float64
	tick := time.NewTicker(timelineInterval)
	defer tick.Stop()
	last, since := l.crowd.Delivered(), time.Now()
	for {
		select {
		case <-tick.C:
			n, at := l.crowd.Delivered(), time.Now()
			values = append(values, float64(n-last)/at.Sub(since).Seconds())
			last, since = n, at
		case <-l.end:
			l.values <- values
			return
		}
	}
}

func (l *timeline) stop() []float64 {
	close(l.end)
	return <-l.values
}
