package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"relay/event"
)

// fanout follows events from the bus to the clients.
type fanout struct {
	received  prometheus.Counter
	delivered prometheus.Counter
	bytes     prometheus.Counter
	delivery  prometheus.Histogram
	dropped   byLabel[event.Reason, prometheus.Counter]
	aligned   byLabel[event.Outcome, prometheus.Counter]
	resumes   byLabel[event.Outcome, prometheus.Counter]
	resets    byLabel[event.ResetCause, prometheus.Counter]
}

func newFanout(factory promauto.Factory) fanout {
	return fanout{
		received: factory.NewCounter(prometheus.CounterOpts{
			Name: "relay_events_received_total",
			Help: "Events heard from the bus.",
		}),
		delivered: factory.NewCounter(prometheus.CounterOpts{
			Name: "relay_events_delivered_total",
			Help: "Events handed to a connection: one event for a thousand clients counts a thousand.",
		}),
		bytes: factory.NewCounter(prometheus.CounterOpts{
			Name: "relay_delivered_bytes_total",
			Help: "Bytes of the events handed to connections, framed and compressed as on their wire.",
		}),
		delivery: factory.NewHistogram(histogram(
			"relay_delivery_seconds",
			"Time from an event's arrival at the API of whichever relay until the last of its connections on this relay had been handed it.",
			// What relays know of each other's clocks is good to about a
			// millisecond: below that there is nothing to tell apart.
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		)),
		dropped: newByLabel(dropReasons, counterFor(factory.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_events_dropped_total",
			Help: "What was heard from the bus and not delivered, by why.",
		}, []string{"reason"}))),
		aligned: newByLabel(alignments, counterFor(factory.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_alignments_total",
			Help: "Reads of history that told a channel of this relay where it stands, by what came of them.",
		}, []string{"outcome"}))),
		resumes: newByLabel(resumes, counterFor(factory.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_resumes_total",
			Help: "Subscriptions of clients that began, by what the client was told.",
		}, []string{"outcome"}))),
		resets: newByLabel(resets, counterFor(factory.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_resets_total",
			Help: "Times a client was told that events of a channel were lost to it, by the cause.",
		}, []string{"cause"}))),
	}
}

// Received implements hub.Metrics.
func (m *Metrics) Received() { m.fanout.received.Inc() }

// Delivered implements hub.Metrics.
func (m *Metrics) Delivered(events, bytes int) {
	m.fanout.delivered.Add(float64(events))
	m.fanout.bytes.Add(float64(bytes))
}

// Delay implements hub.Metrics. It is observed once for an event and not once
// for each connection: a fan-out to ten thousand clients must not cost ten
// thousand observations, and the clients of one fan-out share its fate.
func (m *Metrics) Delay(d time.Duration) { m.fanout.delivery.Observe(d.Seconds()) }

// Dropped implements hub.Metrics.
func (m *Metrics) Dropped(reason event.Reason) { m.fanout.dropped.of(reason).Inc() }

// Aligned implements hub.Metrics.
func (m *Metrics) Aligned(outcome event.Outcome) { m.fanout.aligned.of(outcome).Inc() }

// Resumed implements hub.Metrics.
func (m *Metrics) Resumed(outcome event.Outcome) { m.fanout.resumes.of(outcome).Inc() }

// Reset implements hub.Metrics.
func (m *Metrics) Reset(cause event.ResetCause) { m.fanout.resets.of(cause).Inc() }
