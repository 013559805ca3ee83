package bench

import (
	"time"

	"relay/bench/load"
	"relay/bench/process"
)

// idle keeps connections that get nothing but pings.
func (s *session) idle() ([]Result, error) {
	result := Result{
		Scenario: "idle", Title: s.clientsText() + ", each on a channel of its own, that get nothing but pings",
		Parameters: s.parameters("clients", "transport", "duration_s"),
		Headline:   []string{memoryPerConn, memoryCollected, idleCPU},
	}
	err := s.anew(&result, s.rest)
	return []Result{result}, err
}

// rest connects a crowd and watches it do nothing.
func (s *session) rest(t *target) (Trial, error) {
	empty, known := s.memory(t)
	before := s.heap(t)
	run, crowd, err := s.rush(t)
	if err != nil {
		return Trial{}, err
	}
	defer s.leave(t, crowd)
	s.quiet(t)
	each := func(bytes float64) float64 { return bytes / 1024 / float64(max(s.Clients, 1)) }
	if full, ok := s.memory(t); ok && known {
		run.Values[memoryUsed] = full / 1e6
		run.Values[memoryPerConn] = each(full - empty)
	}
	if m := s.scrape(t); m != nil {
		run.Values[goroutineCount] = m["go_goroutines"]
	}
	if err := s.watchIdle(t, &run); err != nil {
		return Trial{}, err
	}
	if before != nil {
		if after := s.collect(t); after != nil {
			run.Values[memoryCollected] = each(after.held - before.held)
			run.Values[livePerConn] = each(after.live - before.live)
		}
	}
	tally := crowd.Tally()
	run.Checks.Ended = tally.Ended
	return run, nil
}

// watchIdle measures the CPU of doing nothing.
func (s *session) watchIdle(t *target, run *Trial) error {
	first, err := s.look(t)
	if err != nil {
		return err
	}
	const steps = 50
	for i := range steps {
		if !sleep(s.ctx, s.Duration/steps) {
			return s.ctx.Err()
		}
		s.progress.at(float64(i) / steps)
	}
	last, err := s.look(t)
	if err != nil {
		return err
	}
	if used := last.since(first); used.known {
		run.Values[idleCPU] = 100 * used.cpu.Total().Seconds() / used.wall.Seconds()
	}
	return nil
}

// memory is the resident memory of a target, from its process or its metrics.
func (s *session) memory(t *target) (bytes float64, known bool) {
	if t.at.PID != 0 {
		if n, err := process.Memory(t.at.PID); err == nil {
			return float64(n), true
		}
	}
	n, known := s.scrape(t)["process_resident_memory_bytes"]
	return n, known
}

// scrape reads the target's metrics, nil if it has none.
func (s *session) scrape(t *target) process.Metrics {
	if t.at.OpsURL == "" {
		return nil
	}
	m, err := process.Scrape(s.ctx, t.at.OpsURL)
	if err != nil {
		return nil
	}
	return m
}

// heap is the memory of a Go program as it says itself.
type heap struct {
	// held is what is resident without the pages of the heap on which nothing
	// stands: what would be resident after debug.FreeOSMemory.
	held float64
	// live is the objects of the heap, and the stacks.
	live        float64
	collections float64
}

// heap reads the memory of a target, nil if it does not tell.
func (s *session) heap(t *target) *heap {
	m := s.scrape(t)
	resident, known := s.memory(t)
	if m == nil || !known {
		return nil
	}
	return &heap{
		held:        resident - (m["go_memstats_heap_idle_bytes"] - m["go_memstats_heap_released_bytes"]),
		live:        m["go_memstats_heap_alloc_bytes"] + m["go_memstats_stack_inuse_bytes"],
		collections: m["go_gc_duration_seconds_count"],
	}
}

const (
	// collections is how many must end: the first frees the buffers of
	// handshakes, the second what pools have kept.
	collections     = 3
	collectPatience = 60 * time.Second
	// sweepTime is more than Go needs to give back the pages of what was
	// collected.
	sweepTime = 500 * time.Millisecond
)

// collect makes the relay collect its garbage, by giving it some: nobody can
// tell it to from outside. It publishes events that nobody listens to, a few at a
// time, so that little new garbage stands beside what is left. It returns the
// memory just after, or nil if that could not be done.
func (s *session) collect(t *target) *heap {
	now := s.heap(t)
	if now == nil {
		return nil
	}
	wanted := now.collections + collections
	p, err := load.NewPublisher(s.ctx, load.PublisherOptions{URL: t.at.APIURL, Key: t.at.Key, Size: 1024})
	if err != nil {
		return nil
	}
	defer p.Close()
	channel := s.channels(1)[0]
	batch := make([]load.Event, 100)
	for i := range batch {
		batch[i].Channel = channel
	}
	for deadline := time.Now().Add(collectPatience); now.collections < wanted; {
		if _, err := p.Post(batch...); err != nil {
			return nil
		}
		if now = s.heap(t); now == nil || time.Now().After(deadline) {
			return nil
		}
	}
	if !sleep(s.ctx, sweepTime) {
		return nil
	}
	return s.heap(t)
}
