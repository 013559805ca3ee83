package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Process is what a relay tells of itself. The functions are asked at each
// scrape, so they must answer at once.
type Process struct {
	// Version is that of the program.
	Version string
	// MaxConnections is the limit in force.
	MaxConnections int
	// Healthy is nil while the bus does what it should.
	Healthy func() error
	// Draining: the relay is leaving.
	Draining func() bool
	// QueuedBytes wait for clients, WaitingBytes for the fan-out.
	QueuedBytes  func() int64
	WaitingBytes func() int
	// MemoryLimit is that of the process's control group in bytes, or +Inf.
	MemoryLimit func() float64
}

// RegisterProcess adds what only the whole relay knows. Call it once, before
// the first scrape; a second call panics.
func (m *Metrics) RegisterProcess(p Process) {
	factory := promauto.With(m.registry)
	factory.NewGauge(prometheus.GaugeOpts{
		Name:        "relay_build_info",
		Help:        "Always 1; the label names the version of this relay.",
		ConstLabels: prometheus.Labels{"version": p.Version},
	}).Set(1)
	factory.NewGauge(prometheus.GaugeOpts{
		Name: "relay_max_connections",
		Help: "Client connections that this relay takes at most (RELAY_MAX_CONNECTIONS).",
	}).Set(float64(p.MaxConnections))
	asked := func(name, help string, value func() float64) {
		factory.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	asked("relay_bus_healthy",
		"1 while this relay has its connections to the bus, hears through them, and the bus takes what it publishes, else 0.",
		func() float64 { return oneIf(p.Healthy() == nil) })
	asked("relay_draining",
		"1 from when this relay was told to leave, else 0.",
		func() float64 { return oneIf(p.Draining()) })
	asked("relay_queue_bytes",
		"Bytes that wait for clients which do not take them; what is shared by clients counts for each.",
		func() float64 { return float64(p.QueuedBytes()) })
	asked("relay_backlog_bytes",
		"Bytes of the events that were heard from the bus and not handed to connections yet.",
		func() float64 { return float64(p.WaitingBytes()) })
	asked("relay_memory_limit_bytes",
		"Memory that the container of this relay may use, +Inf without a limit.",
		p.MemoryLimit)
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
