package bench

import (
	"fmt"
	"time"
)

// publishCase is one way to publish.
type publishCase struct {
	title    string
	batch    int
	channels int
	headline []string
}

var publishCases = []publishCase{
	{"one event a request", 1, 1, []string{cpuPerEvent, eventsRate, postP99}},
	{"arrays of 100 events to one channel", 100, 1, []string{eventsRate, cpuPerEvent, postP99}},
	{"arrays of 100 events to 100 channels", 100, 100, []string{eventsRate, cpuPerEvent, postP99}},
}

// publish posts to channels that nobody listens to.
func (s *session) publish() ([]Result, error) {
	targets, stop, err := s.open(noopName, FloorNoop)
	if err != nil {
		return nil, err
	}
	defer stop()
	var results []Result
	for _, c := range publishCases {
		result, err := s.publishOne(targets, c)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

func (s *session) publishOne(targets []*target, c publishCase) (Result, error) {
	title := fmt.Sprintf("%s, %d bytes each, over %d connections as fast as answers come", c.title, s.Size, s.Publishers)
	runs, err := s.inTurn(targets, "publish, "+c.title, func(t *target) (Trial, error) {
		p, err := s.openPosting(t, s.channels(c.channels), s.Publishers, 0)
		if err != nil {
			return Trial{}, err
		}
		defer p.close()
		put := func(duration time.Duration) (measured, error) {
			return p.closed(duration, c.batch, func(_ *lane, i int) int { return i % c.channels })
		}
		if _, err := put(s.Warmup); err != nil {
			return Trial{}, err
		}
		return s.observe(t, nil, func() (measured, error) { return put(s.Duration) })
	})
	parameters := s.parameters("size", "publishers", "duration_s")
	parameters["batch"], parameters["channels"] = c.batch, c.channels
	return Result{
		Scenario: "publish", Title: title, Parameters: parameters,
		Headline: c.headline, Targets: targetNames(targets), Runs: runs,
	}, err
}
