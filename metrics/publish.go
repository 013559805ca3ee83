package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"relay/event"
)

// publish is what the app sees of this relay.
type publish struct {
	events  prometheus.Counter
	refused byLabel[event.Code, prometheus.Counter]
	took    byLabel[event.Outcome, prometheus.Observer]
}

func newPublish(factory promauto.Factory) publish {
	return publish{
		events: factory.NewCounter(prometheus.CounterOpts{
			Name: "relay_events_published_total",
			Help: "Events the bus took from this relay's API: one event for three channels counts three, the repeat of an idempotency key nothing.",
		}),
		refused: newByLabel(codes, counterFor(factory.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_api_refused_total",
			Help: "API requests answered with a problem, by its code.",
		}, []string{"code"}))),
		took: newByLabel(published, observerFor(factory.NewHistogramVec(histogram(
			"relay_publish_seconds",
			"Time the bus took to answer for the events of one publish request, by what came of it.",
			[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		), []string{"outcome"}))),
	}
}

// Published implements api.Metrics.
func (m *Metrics) Published(events int, outcome event.Outcome, took time.Duration) {
	m.publish.events.Add(float64(events))
	m.publish.took.of(outcome).Observe(took.Seconds())
}

// Refused implements api.Metrics.
func (m *Metrics) Refused(code event.Code) { m.publish.refused.of(code).Inc() }
