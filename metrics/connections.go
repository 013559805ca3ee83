package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"relay/event"
)

// connections says who is here, and why others left.
type connections struct {
	byTransport   byLabel[string, transport]
	subscriptions prometheus.Gauge
	channels      prometheus.Gauge
}

// transport is the share of one wire.
type transport struct {
	open   prometheus.Gauge
	opened prometheus.Counter
	closed byLabel[event.Reason, prometheus.Counter]
	// refused are those that a door turned away.
	refused byLabel[event.Code, prometheus.Counter]
}

func newConnections(factory promauto.Factory) connections {
	open := factory.NewGaugeVec(prometheus.GaugeOpts{
		Name: "relay_connections",
		Help: "Client connections open now.",
	}, []string{"transport"})
	opened := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "relay_connections_opened_total",
		Help: "Client connections taken in.",
	}, []string{"transport"})
	closed := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "relay_connections_closed_total",
		Help: "Client connections that ended, by why.",
	}, []string{"transport", "reason"})
	refused := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "relay_connections_refused_total",
		Help: "Clients turned away before they were connected, by the code they were told.",
	}, []string{"transport", "code"})
	return connections{
		byTransport: newByLabel(transports, func(name string) transport {
			mine := prometheus.Labels{"transport": name}
			return transport{
				open:    open.WithLabelValues(name),
				opened:  opened.WithLabelValues(name),
				closed:  newByLabel(closeReasons, counterFor(closed.MustCurryWith(mine))),
				refused: newByLabel(refusals, counterFor(refused.MustCurryWith(mine))),
			}
		}),
		subscriptions: factory.NewGauge(prometheus.GaugeOpts{
			Name: "relay_subscriptions",
			Help: "Subscriptions of all clients now, with those that still wait for the bus.",
		}),
		channels: factory.NewGauge(prometheus.GaugeOpts{
			Name: "relay_channels",
			Help: "Channels this relay listens to on the bus now.",
		}),
	}
}

// ConnectionOpened implements hub.Metrics.
func (m *Metrics) ConnectionOpened(transport string) {
	t := m.connections.byTransport.of(transport)
	t.open.Inc()
	t.opened.Inc()
}

// ConnectionClosed implements hub.Metrics.
func (m *Metrics) ConnectionClosed(transport string, reason event.Reason) {
	t := m.connections.byTransport.of(transport)
	t.open.Dec()
	t.closed.of(reason).Inc()
}

// ConnectionRefused implements hub.Metrics.
func (m *Metrics) ConnectionRefused(transport string, code event.Code) {
	m.connections.byTransport.of(transport).refused.of(code).Inc()
}

// Subscriptions implements hub.Metrics.
func (m *Metrics) Subscriptions(delta int) { m.connections.subscriptions.Add(float64(delta)) }

// Channels implements hub.Metrics.
func (m *Metrics) Channels(delta int) { m.connections.channels.Add(float64(delta)) }
