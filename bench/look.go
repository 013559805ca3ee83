package bench

import (
	"context"
	"errors"
	"os"
	"time"

	"relay/bench/process"
)

// snapshot is what was used up to a moment.
type snapshot struct {
	at            time.Time
	target        process.Usage
	known         bool // target could be read
	redis         process.Usage
	generator     process.Usage
	worked, cores time.Duration // of the machine
}

// usage is what was used between two moments.
type usage struct {
	wall      time.Duration
	cpu       process.Usage
	known     bool
	redis     time.Duration
	generator time.Duration
	machine   float64 // 0 to 1
}

var errNoProcess = errors.New("the relay's process is not known")

// cpu reads what a target has used: from its process if that is known, else
// from its metrics.
func (t *target) cpu(ctx context.Context) (process.Usage, error) {
	if t.at.PID != 0 {
		return process.CPU(t.at.PID)
	}
	if t.at.OpsURL == "" {
		return process.Usage{}, errNoProcess
	}
	m, err := process.Scrape(ctx, t.at.OpsURL)
	if err != nil {
		return process.Usage{}, err
	}
	seconds, ok := m["process_cpu_seconds_total"]
	if !ok {
		return process.Usage{}, errNoProcess
	}
	return process.Usage{User: time.Duration(seconds * float64(time.Second))}, nil
}

// look notes what everybody has used so far. What cannot be read on this
// system, or is not known, is left out of the report.
func (s *session) look(t *target) (snapshot, error) {
	var now snapshot
	var err error
	now.target, err = t.cpu(s.ctx)
	switch {
	case err == nil:
		now.known = true
	case errors.Is(err, process.ErrUnsupported), errors.Is(err, errNoProcess):
	default:
		return now, err
	}
	if t.redis != 0 {
		now.redis, _ = process.CPU(t.redis)
	}
	now.generator, _ = process.CPU(os.Getpid())
	now.worked, now.cores, _ = process.Machine()
	now.at = time.Now()
	return now, nil
}

func (s snapshot) since(earlier snapshot) usage {
	u := usage{
		wall: s.at.Sub(earlier.at), known: s.known,
		cpu: s.target.Since(earlier.target), redis: s.redis.Since(earlier.redis).Total(),
		generator: s.generator.Since(earlier.generator).Total(),
	}
	if all := s.cores - earlier.cores; all > 0 {
		u.machine = float64(s.worked-earlier.worked) / float64(all)
	}
	return u
}

// put notes what was used for so many events.
func (u usage) put(r *Trial, events uint64) {
	if u.known {
		r.Values[coresUsed] = u.cpu.Total().Seconds() / u.wall.Seconds()
		if events > 0 {
			r.Values[cpuPerEvent] = micros(u.cpu.Total()) / float64(events)
		}
	}
	if u.redis > 0 && events > 0 {
		r.Values[redisPerEvent] = micros(u.redis) / float64(events)
	}
	if u.generator > 0 {
		r.Values[generatorCores] = u.generator.Seconds() / u.wall.Seconds()
	}
	if u.machine > 0 {
		r.Values[machineBusy] = 100 * u.machine
	}
}
