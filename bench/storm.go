package bench

import (
	"fmt"

	"relay/bench/load"
)

// storm makes connections, each to a channel of its own, in a new process
// each time.
func (s *session) storm() ([]Result, error) {
	title := s.clientsText() + " connect and subscribe, each to a channel of its own, 256 at a time"
	result := Result{
		Scenario: "storm", Title: title, Parameters: s.parameters("clients", "transport"),
		Headline: []string{cpuPerConnection, connectionsRate, connectP99},
	}
	for number := 1; number <= s.Runs; number++ {
		targets, stop, err := s.open(floorName, FloorSockets)
		if err != nil {
			return nil, err
		}
		result.Targets = targetNames(targets)
		for _, t := range targets {
			s.progress.begin(fmt.Sprintf("storm: run %d of %d, %s", number, s.Runs, t.name))
			run, crowd, err := s.rush(t)
			if err != nil {
				stop()
				return nil, fmt.Errorf("%s: %w", t.name, t.explain(err))
			}
			s.leave(t, crowd)
			run.Target, run.Number = t.name, number
			result.Runs = append(result.Runs, run)
			s.progress.end()
		}
		stop()
	}
	return []Result{result}, nil
}

// rush connects a crowd and measures that. The crowd is the caller's to close.
func (s *session) rush(t *target) (Trial, *load.Crowd, error) {
	channels := s.channels(s.Clients)
	first, err := s.look(t)
	if err != nil {
		return Trial{}, nil, err
	}
	crowd, err := s.gather(t, channels, 1)
	if err != nil {
		return Trial{}, nil, err
	}
	last, err := s.look(t)
	if err != nil {
		crowd.Close()
		return Trial{}, nil, err
	}
	used := last.since(first)
	run := Trial{Values: make(map[string]float64)}
	used.put(&run, 0)
	tally := crowd.Tally()
	run.Checks.Ended = tally.Ended
	run.Values[connectionsRate] = float64(s.Clients) / used.wall.Seconds()
	run.Values[connectP50], run.Values[connectP99] = millis(tally.Connect.Percentile(50)), millis(tally.Connect.Percentile(99))
	if used.known {
		run.Values[cpuPerConnection] = micros(used.cpu.Total()) / float64(max(s.Clients, 1))
	}
	if tally.Busy > 0 {
		run.Values[generatorBusy] = 100 * tally.Busy.Seconds() / used.wall.Seconds()
	}
	return run, crowd, nil
}
