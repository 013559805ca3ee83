// Package metrics counts for Prometheus what hub, api and redisbus report
// through the small interfaces they declare. It owns the registry and the names of all
// metrics; docs/metrics.md lists them for operators, and a test compares.
// Only cmd/relay imports it.
//
// Every label has a closed set of values: nothing that a client or a publisher
// sends can become a label, or a stranger could fill Prometheus with series.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is a registry and the metrics of one relay. It implements
// hub.Metrics, api.Metrics and redisbus.Metrics.
type Metrics struct {
	registry    *prometheus.Registry
	connections connections
	fanout      fanout
	publish     publish
	canary      prometheus.Histogram
}

// New makes the metrics of one relay, in a registry of their own: a program
// that runs two relays, as tests do, keeps their numbers apart.
func New() *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	factory := promauto.With(registry)
	return &Metrics{
		registry:    registry,
		connections: newConnections(factory),
		fanout:      newFanout(factory),
		publish:     newPublish(factory),
		canary:      newCanary(factory),
	}
}

// Handler serves the metrics in the formats Prometheus asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// histogram serves both kinds of Prometheus: the fixed buckets are for those
// that do not ask for native histograms. 160 native buckets, each a tenth wider,
// span six powers of ten; a burst of strange values starts them
// anew at most once an hour instead of growing them.
func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name:                            name,
		Help:                            help,
		Buckets:                         buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}
}
