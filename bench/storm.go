package bench

import "relay/bench/load"

// storm makes connections, each to a channel of its own, in a new process
// each time.
func (s *session) storm() ([]Result, error) {
	title := s.clientsText() + " connect and subscribe, each to a channel of its own, 256 at a time"
	result := Result{
		Scenario: "storm", Title: title, Parameters: s.parameters("clients", "transport"),
		Headline: []string{cpuPerConnection, connectionsRate, connectP99},
	}
	err := s.anew(&result, func(t *target) (Trial, error) {
		run, crowd, err := s.rush(t)
		if err == nil {
			s.leave(t, crowd)
		}
		return run, err
	})
	return []Result{result}, err
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
