package bench

import (
	"fmt"
	"time"

	"relay/bench/load"
)

// fanout delivers one channel to all clients.
func (s *session) fanout() ([]Result, error) {
	targets, stop, err := s.open(floorName, FloorSockets)
	if err != nil {
		return nil, err
	}
	defer stop()
	title := fmt.Sprintf("%s on one channel, %g events a second of %d bytes", s.clientsText(), s.Rate, s.Size)
	runs, err := s.inTurn(targets, "fan-out", func(t *target) (Trial, error) {
		channels := s.channels(1)
		return s.listenTo(t, channels, s.Publishers, uint64(s.Clients), func(p *posting, duration time.Duration) (measured, error) {
			return p.paced(s.Rate, duration)
		})
	})
	return []Result{{
		Scenario: "fanout", Title: title, Parameters: s.parameters("clients", "transport", "rate", "batch", "size", "publishers", "duration_s"),
		Headline: []string{cpuPerDelivery, latencyP50, latencyP99}, Targets: targetNames(targets), Runs: runs,
	}}, err
}

// manyChannels has a channel for each client.
func (s *session) manyChannels() ([]Result, error) {
	targets, stop, err := s.open(floorName, FloorSockets)
	if err != nil {
		return nil, err
	}
	defer stop()
	s.Publishers = min(s.Publishers, s.Clients)
	title := fmt.Sprintf("%s, each on a channel of its own; %d connections POST to random ones, each as fast as it gets answers", s.clientsText(), s.Publishers)
	runs, err := s.inTurn(targets, "channels", func(t *target) (Trial, error) {
		channels := s.channels(s.Clients)
		return s.listenTo(t, channels, s.Publishers, 1, func(p *posting, duration time.Duration) (measured, error) {
			return p.closed(duration, s.Batch, p.ownChannel)
		})
	})
	return []Result{{
		Scenario: "channels", Title: title, Parameters: s.parameters("clients", "transport", "batch", "size", "publishers", "duration_s"),
		Headline: []string{cpuPerEvent, eventsRate, latencyP99}, Targets: targetNames(targets), Runs: runs,
	}}, err
}

// listenTo gathers a crowd, warms up, and measures a load.
func (s *session) listenTo(t *target, channels []string, publishers int, perEvent uint64, put func(*posting, time.Duration) (measured, error)) (Trial, error) {
	crowd, err := s.gather(t, channels, publishers)
	if err != nil {
		return Trial{}, err
	}
	defer s.leave(t, crowd)
	p, err := s.openPosting(t, channels, publishers, perEvent)
	if err != nil {
		return Trial{}, err
	}
	defer p.close()
	if err := s.warm(crowd, p, put); err != nil {
		return Trial{}, err
	}
	run, err := s.observe(t, crowd, func() (measured, error) { return put(p, s.Duration) })
	if err != nil {
		return Trial{}, err
	}
	run.Checks.Add(crowd.Missing(p.sent()))
	return run, nil
}

// warm puts the load on for a while before anything is measured.
func (s *session) warm(crowd *load.Crowd, p *posting, put func(*posting, time.Duration) (measured, error)) error {
	m, err := put(p, s.Warmup)
	if err != nil {
		return err
	}
	// What does not arrive is counted at the end.
	if err := crowd.Wait(s.ctx, m.expected); err != nil && s.ctx.Err() != nil {
		return err
	}
	return nil
}
