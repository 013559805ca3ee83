package metrics

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// newCanary makes what a relay sees of its own messages through Redis.
func newCanary(factory promauto.Factory) prometheus.Histogram {
	return factory.NewHistogram(histogram(
		"relay_canary_seconds",
		"Time a message of this relay's own took through Redis and back through a subscriber connection.",
		[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	))
}

// CanaryReturned implements redisbus.Metrics.
func (m *Metrics) CanaryReturned(roundTrip time.Duration) { m.canary.Observe(roundTrip.Seconds()) }

// RegisterClock adds what canaries tell of Redis's clock. ahead is asked at
// each scrape, so it must answer at once; known is false until it has an
// answer. Call it as RegisterCanaryAge.
func (m *Metrics) RegisterClock(ahead func() (d time.Duration, known bool)) {
	promauto.With(m.registry).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "relay_redis_clock_ahead_seconds",
		Help: "How far Redis's clock is ahead of this relay's, on the node where that is most; negative if behind, NaN if not known yet.",
	}, func() float64 {
		d, known := ahead()
		if !known {
			return math.NaN()
		}
		return d.Seconds()
	})
}

// RegisterCanaryAge adds the age of the last canary that came back, where that
// is longest ago. age is asked at each scrape, so it must answer at once. Call
// it once, before the first scrape, and only for a bus that has canaries; a
// second call panics.
func (m *Metrics) RegisterCanaryAge(age func() time.Duration) {
	promauto.With(m.registry).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "relay_canary_age_seconds",
		Help: "Age of the last message of this relay's own that came back through Redis, on the subscriber connection where that is longest ago.",
	}, func() float64 { return age().Seconds() })
}
