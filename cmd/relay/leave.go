package main

import (
	"time"

	"relay/cmd/relay/internal/config"
	"relay/hub"
)

const (
	// assumedGrace is the grace of a pod of which nobody said it: Kubernetes's
	// default.
	assumedGrace = 30 * time.Second
	// lastAnswers is what the last clients may take, after the window, to go.
	// The rest of config.DrainMargin is for the end of the process.
	lastAnswers = 2 * time.Second
)

// askedPlan is how a relay leaves that is asked to before it is told: with the
// time that a pod has.
func askedPlan(cfg *config.Config) hub.DrainPlan {
	grace := cfg.GracePeriod
	if grace == 0 {
		grace = assumedGrace
	}
	return hub.DrainPlan{
		Delay: cfg.DrainDelay, Hold: grace - cfg.DrainWindow - config.DrainMargin,
		Window: cfg.DrainWindow, Patience: lastAnswers,
	}
}

// toldPlan is how a relay leaves that a signal tells to: within the window,
// its own end included.
func toldPlan(cfg *config.Config) hub.DrainPlan {
	// Even without a window, goodbyes take a moment, and so does the end.
	all := max(cfg.DrainWindow-2*stopPatience, time.Second)
	// The rest is for the last ones to answer.
	window := min(cfg.DrainWindow*3/4, all)
	return hub.DrainPlan{Window: window, Patience: all - window, Brisk: true}
}

// Leave implements api.Leaver.
func (r *relay) Leave() {
	done, begins := r.drain(askedPlan(r.config))
	if !begins {
		return
	}
	go func() {
		<-done
		r.log.Info("drained: the api goes on until SIGTERM", "connections", r.hub.Connections())
	}()
}

// DrainStatus implements api.Leaver.
func (r *relay) DrainStatus() hub.DrainStatus { return r.hub.DrainStatus() }

// drain begins to leave by a plan, unless a drain is under way: what is logged
// is the plan in force, and once, also if a signal and requests come together.
func (r *relay) drain(plan hub.DrainPlan) (done <-chan struct{}, begins bool) {
	r.leaving.Do(func() {
		begins = true
		r.log.Info("leaving: clients are released", "connections", r.hub.Connections(),
			"delay", plan.Delay, "window", plan.Window, "generation", r.config.Generation)
		r.left = r.hub.Drain(plan)
	})
	return r.left, begins
}

// leave drains and closes. The api stays up until the last client is gone, so
// that the app's last events go out.
func (r *relay) leave() {
	done, _ := r.drain(toldPlan(r.config))
	<-done
	if left := r.hub.Connections(); left > 0 {
		r.log.Warn("the drain window is over: the rest is closed at once", "connections", left)
	}
	r.closeSoon()
}
