//go:build kube

package kube

import (
	"context"

	"relay/tests/crowd"
)

// audience is a crowd that listens while something is done to the cluster.
type audience struct {
	*crowd.Crowd
	n              *namespace
	size           int // clients
	ctx            context.Context
	stopPublishing func()
}

// small is a crowd for tests that ask whether, and not how much.
var small = crowd.Config{Clients: 60, Channels: 3, Rate: 15, SoloRate: 6}

// gather lets a crowd come and publishes to it until the test ends.
func (n *namespace) gather(config crowd.Config, public, publish string) *audience {
	n.t.Helper()
	config.Public, config.Publish = []string{public}, []string{publish}
	ctx, cancel := context.WithCancel(context.Background())
	a := &audience{Crowd: crowd.New(config), n: n, size: config.Clients, ctx: ctx}
	a.Arrive(ctx)
	a.stopPublishing = a.Publish(ctx)
	n.t.Cleanup(func() {
		cancel()
		a.Wait()
	})
	a.settle()
	return a
}

// settle waits until everybody has come, and has seen of each channel what was
// acknowledged by then and something that was not yet.
func (a *audience) settle() {
	a.n.t.Helper()
	if who := a.Await(a.ctx, patience, a.Away); who != "" {
		a.n.t.Fatalf("%s is not back after %v: %v", who, patience, a.Tally().Ends)
	}
	goal := a.Taken()
	for channel := range goal {
		goal[channel]++
	}
	if who := a.Await(a.ctx, patience, func() string { return a.Behind(goal) }); who != "" {
		a.n.t.Fatalf("%s has not caught up after %v: %v", who, patience, a.Tally().Ends)
	}
}

// end stops publishing and judges what everybody has seen.
func (a *audience) end() {
	a.n.t.Helper()
	a.settle()
	a.stopPublishing()
	taken := a.Taken()
	if who := a.Await(a.ctx, patience, func() string { return a.Behind(taken) }); who != "" {
		a.n.t.Errorf("%s has not seen the last event", who)
	}
	for _, wrong := range a.Wrongs() {
		a.n.t.Error(wrong)
	}
	if resets := a.Tally().Resets; resets > 0 {
		a.n.t.Errorf("%d resets", resets)
	}
}
