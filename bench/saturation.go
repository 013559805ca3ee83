package bench

import (
	"fmt"
	"time"
)

// saturation looks for the highest rate that a target sustains.
func (s *session) saturation() ([]Result, error) {
	targets, stop, err := s.open(floorName, FloorSockets)
	if err != nil {
		return nil, err
	}
	defer stop()
	title := fmt.Sprintf("%s on one channel; the rate is raised until one delivery in a hundred takes more than %v", s.clientsText(), s.Bound)
	runs, err := s.inTurn(targets, "saturation", func(t *target) (Trial, error) {
		search := &search{session: s, target: t}
		return search.run()
	})
	return []Result{{
		Scenario: "saturation", Title: title, Parameters: s.parameters("clients", "transport", "rate", "batch", "size", "publishers", "duration_s", "bound_ms"),
		Headline: []string{deliveriesRate, latencyP99, cpuPerDelivery}, Targets: targetNames(targets), Runs: runs,
	}}, err
}

// search is the search for one target's highest rate.
type search struct {
	session *session
	target  *target
	curve   []Step
	best    Trial
}

const (
	growth   = 1.5  // from one rate to the next
	maxSteps = 30   // 200 events a second times 1.5^30 is beyond everything
	descents = 5    // halvings of a first rate that is too high
	halvings = 3    // between the last good rate and the first bad one
	kept     = 0.95 // of a rate must have been published for it to count
)

// run returns the measurement at the highest rate that was sustained. Without
// one its values say 0.
func (h *search) run() (Trial, error) {
	good, bad, err := h.climb()
	if err != nil {
		return Trial{}, err
	}
	for range halvings {
		if good == 0 || bad == 0 {
			break
		}
		rate := (good + bad) / 2
		ok, err := h.tryTwice(rate)
		if err != nil {
			return Trial{}, err
		}
		if ok {
			good = rate
		} else {
			bad = rate
		}
	}
	if good == 0 {
		h.best.Values = map[string]float64{deliveriesRate: 0}
	}
	h.best.Curve = h.curve
	return h.best, nil
}

// climb raises the rate until it is too high, from one that is not.
func (h *search) climb() (good, bad float64, err error) {
	rate, down := h.session.Rate, 0
	for step := range maxSteps {
		ok, err := h.tryTwice(rate)
		switch {
		case err != nil:
			return 0, 0, err
		case ok:
			good, rate = rate, rate*growth
		case good > 0 || down == descents:
			return good, rate, nil
		default:
			down++
			rate /= 2
		}
		h.session.progress.at(float64(step) / 15)
		if ok && down > 0 {
			return good, good * 2, nil // which was too high
		}
	}
	return good, bad, nil
}

// tryTwice measures a rate, and once more if it was too high: on a shared
// machine one bad second is not the relay's.
func (h *search) tryTwice(rate float64) (bool, error) {
	ok, err := h.try(rate)
	if ok || err != nil {
		return ok, err
	}
	return h.try(rate)
}

// try measures one rate, with clients of its own: those of a rate that was
// too high may have been closed as too slow.
func (h *search) try(rate float64) (bool, error) {
	s := h.session
	s.progress.text = fmt.Sprintf("saturation: %s, %.0f events a second", h.target.name, rate)
	run, err := s.listenTo(h.target, s.channels(1), s.Publishers, uint64(s.Clients), func(p *posting, duration time.Duration) (measured, error) {
		return p.paced(rate, duration)
	})
	if err != nil {
		return false, err
	}
	step := Step{Rate: rate, Deliveries: run.Values[deliveriesRate], P50: run.Values[latencyP50], P99: run.Values[latencyP99]}
	step.Why = h.refuse(rate, &run)
	step.Sustained = step.Why == ""
	h.curve = append(h.curve, step)
	if step.Sustained {
		h.best = run
	}
	return step.Sustained, nil
}

// refuse says why a rate was not sustained.
func (h *search) refuse(rate float64, run *Trial) string {
	s := h.session
	published := float64(run.Checks.Events) / s.Duration.Seconds()
	switch {
	case run.Values[latencyP99] > millis(s.Bound):
		return fmt.Sprintf("the 99th percentile was %.0f ms", run.Values[latencyP99])
	case published < kept*rate:
		return fmt.Sprintf("only %.0f events a second could be published", published)
	case !run.Checks.Whole():
		return "not everything arrived"
	}
	return ""
}
