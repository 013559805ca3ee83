package metrics_test

import (
	"bufio"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"relay/event"
	"relay/hub"
	"relay/metrics"
	"relay/redisbus"
)

var _ hub.Metrics = (*metrics.Metrics)(nil)

// scrape is what Prometheus sees: the value of each series, and what each
// relay_ metric says of itself.
type scrape struct {
	series   map[string]string // `name{labels}` to value
	families map[string]family
}

type family struct {
	kind   string
	help   string
	labels map[string][]string // label to the values seen
}

var (
	sampleLine = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`(\w+)="([^"]*)"`)
	histogram  = regexp.MustCompile(`_(bucket|sum|count)$`)
)

func scrapeOf(t *testing.T, m *metrics.Metrics) scrape {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("GET /metrics answered %d: %s", w.Code, w.Body)
	}
	s := scrape{series: make(map[string]string), families: make(map[string]family)}
	helps := make(map[string]string)
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ := strings.Cut(rest, " ")
			helps[name] = help
		} else if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if strings.HasPrefix(name, "relay_") {
				s.families[name] = family{kind, helps[name], make(map[string][]string)}
			}
		} else if sample := sampleLine.FindStringSubmatch(line); sample != nil {
			s.add(sample[1], sample[2], sample[3])
		} else {
			t.Fatalf("a line that is no sample: %q", line)
		}
	}
	return s
}

func (s scrape) add(name, labels, value string) {
	series := name
	if labels != "" {
		series += "{" + labels + "}"
	}
	s.series[series] = value
	f, ok := s.families[name]
	if !ok {
		f, ok = s.families[histogram.ReplaceAllString(name, "")]
	}
	if !ok {
		return
	}
	for _, pair := range labelPair.FindAllStringSubmatch(labels, -1) {
		if pair[1] != "le" { // a histogram's own
			f.labels[pair[1]] = append(f.labels[pair[1]], pair[2])
		}
	}
}

// expect compares some series with the values they should have.
func (s scrape) expect(t *testing.T, want map[string]string) {
	t.Helper()
	for series, value := range want {
		if got := s.series[series]; got != value {
			t.Errorf("%s = %q, want %s", series, got, value)
		}
	}
}

func TestConnections(t *testing.T) {
	m := metrics.New()
	m.ConnectionOpened("ws")
	m.ConnectionOpened("ws")
	m.ConnectionOpened("sse")
	m.ConnectionClosed("ws", event.ReasonSlow)
	m.ConnectionRefused("sse", event.CodeTooMany)
	m.Subscriptions(3)
	m.Subscriptions(-1)
	m.Channels(2)
	m.Channels(-1)
	scrapeOf(t, m).expect(t, map[string]string{
		`relay_connections{transport="ws"}`:                                       "1",
		`relay_connections{transport="sse"}`:                                      "1",
		`relay_connections_opened_total{transport="ws"}`:                          "2",
		`relay_connections_closed_total{reason="too_slow",transport="ws"}`:        "1",
		`relay_connections_closed_total{reason="too_slow",transport="sse"}`:       "0",
		`relay_connections_closed_total{reason="connection_lost",transport="ws"}`: "0",
		`relay_connections_refused_total{code="too_many",transport="sse"}`:        "1",
		`relay_connections_refused_total{code="too_many",transport="ws"}`:         "0",
		`relay_subscriptions`: "2",
		`relay_channels`:      "1",
	})
}

func TestFanout(t *testing.T) {
	m := metrics.New()
	m.Received()
	m.Delivered(1000, 128_000)
	m.Delay(30 * time.Millisecond)
	m.Received()
	m.Delivered(1, 128) // an event that nobody says when it was posted
	m.Received()
	m.Dropped(event.DropDuplicate)
	m.Aligned(event.ResumeRecovered)
	m.Resumed(event.ResumeStart)
	m.Resumed(event.Outcome(event.ResetTrimmed))
	m.Reset(event.ResetTrimmed)
	scrapeOf(t, m).expect(t, map[string]string{
		`relay_events_received_total`:                    "3",
		`relay_events_delivered_total`:                   "1001",
		`relay_delivered_bytes_total`:                    "128128",
		`relay_delivery_seconds_count`:                   "1",
		`relay_delivery_seconds_bucket{le="0.025"}`:      "0",
		`relay_delivery_seconds_bucket{le="0.05"}`:       "1",
		`relay_events_dropped_total{reason="duplicate"}`: "1",
		`relay_events_dropped_total{reason="malformed"}`: "0",
		`relay_alignments_total{outcome="recovered"}`:    "1",
		`relay_alignments_total{outcome="trimmed"}`:      "0",
		`relay_resumes_total{outcome="start"}`:           "1",
		`relay_resumes_total{outcome="trimmed"}`:         "1",
		`relay_resumes_total{outcome="fresh"}`:           "0",
		`relay_resets_total{cause="trimmed"}`:            "1",
		`relay_resets_total{cause="diverged"}`:           "0",
	})
}

func TestPublish(t *testing.T) {
	m := metrics.New()
	m.Published(3, event.PublishTaken, 2*time.Millisecond)
	m.Published(0, event.PublishFailed, 5*time.Second)
	m.Refused(event.CodeUnavailable)
	scrapeOf(t, m).expect(t, map[string]string{
		`relay_events_published_total`:                              "3",
		`relay_publish_seconds_count{outcome="taken"}`:              "1",
		`relay_publish_seconds_bucket{outcome="taken",le="0.001"}`:  "0",
		`relay_publish_seconds_bucket{outcome="taken",le="0.0025"}`: "1",
		`relay_publish_seconds_sum{outcome="failed"}`:               "5",
		`relay_publish_seconds_count{outcome="key_reused"}`:         "0",
		`relay_api_refused_total{code="unavailable"}`:               "1",
		`relay_api_refused_total{code="too_large"}`:                 "0",
	})
}

// aProcess is one that is well and idle.
func aProcess() metrics.Process {
	return metrics.Process{
		Version: "v1.2.3", MaxConnections: 5000,
		Healthy: func() error { return nil }, Draining: func() bool { return false },
		QueuedBytes: func() int64 { return 0 }, WaitingBytes: func() int { return 0 },
		MemoryLimit: func() float64 { return math.Inf(1) },
	}
}

func TestProcessIsAskedAtEachScrape(t *testing.T) {
	m, p := metrics.New(), aProcess()
	var err error
	draining, limit, bytes := false, math.Inf(1), 0
	p.Healthy, p.Draining = func() error { return err }, func() bool { return draining }
	p.QueuedBytes, p.WaitingBytes = func() int64 { return int64(bytes) }, func() int { return 2 * bytes }
	p.MemoryLimit = func() float64 { return limit }
	m.RegisterProcess(p)
	scrapeOf(t, m).expect(t, map[string]string{
		`relay_build_info{version="v1.2.3"}`: "1", "relay_max_connections": "5000", "relay_bus_healthy": "1",
		"relay_draining": "0", "relay_queue_bytes": "0", "relay_backlog_bytes": "0", "relay_memory_limit_bytes": "+Inf",
	})
	err, draining, limit, bytes = errors.New("no connection to Redis"), true, 1<<20, 100
	scrapeOf(t, m).expect(t, map[string]string{
		"relay_bus_healthy": "0", "relay_draining": "1", "relay_queue_bytes": "100",
		"relay_backlog_bytes": "200", "relay_memory_limit_bytes": "1.048576e+06",
	})
}

func TestEachRelayHasItsOwnNumbers(t *testing.T) {
	first, second := metrics.New(), metrics.New()
	first.Received()
	scrapeOf(t, second).expect(t, map[string]string{"relay_events_received_total": "0"})
}

// A stranger who could make up label values could fill Prometheus with series.
func TestLabelsAreBounded(t *testing.T) {
	m := metrics.New()
	for _, invented := range []string{"a", "b", "c"} {
		m.ConnectionOpened(invented)
		m.ConnectionClosed(invented, event.Reason(invented))
		m.Dropped(event.Reason(invented))
		m.Resumed(event.Outcome(invented))
		m.Aligned(event.Outcome(invented))
		m.Reset(event.ResetCause(invented))
		m.ConnectionRefused(invented, event.Code(invented))
		m.Published(1, event.Outcome(invented), time.Second)
		m.Refused(event.Code(invented))
	}
	scrapeOf(t, m).expect(t, map[string]string{
		`relay_connections{transport="other"}`:                             "0",
		`relay_connections_opened_total{transport="other"}`:                "3",
		`relay_connections_closed_total{reason="other",transport="other"}`: "3",
		`relay_connections_refused_total{code="other",transport="other"}`:  "3",
		`relay_events_dropped_total{reason="other"}`:                       "3",
		`relay_alignments_total{outcome="other"}`:                          "3",
		`relay_resumes_total{outcome="other"}`:                             "3",
		`relay_resets_total{cause="other"}`:                                "3",
		`relay_publish_seconds_count{outcome="other"}`:                     "3",
		`relay_api_refused_total{code="other"}`:                            "3",
		`relay_events_dropped_total{reason="a"}`:                           "",
	})
}

// All of these run for each event or request, the first ones on the goroutine
// that fans out. The first observation makes its native bucket.
func TestCountingDoesNotAllocate(t *testing.T) {
	m := metrics.New()
	if n := testing.AllocsPerRun(100, func() {
		m.Received()
		m.Delivered(10, 1280)
		m.Delay(time.Millisecond)
		m.Dropped(event.DropDuplicate)
		m.Published(1, event.PublishTaken, time.Millisecond)
		m.Resumed(event.ResumeRecovered)
	}); n != 0 {
		t.Errorf("counting one event allocates %v times, want 0", n)
	}
}

func BenchmarkDelivered(b *testing.B) {
	m := metrics.New()
	b.ReportAllocs()
	for b.Loop() {
		m.Delivered(10, 1280)
		m.Delay(3 * time.Millisecond)
	}
}

// Delays as they are: no two alike, over four powers of ten, from all
// processors at once.
func BenchmarkDelays(b *testing.B) {
	m := metrics.New()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := int64(1); pb.Next(); n = (n*31 + 7) % 10_000 {
			m.Delay(time.Duration(n * n))
		}
	})
}

var _ redisbus.Metrics = (*metrics.Metrics)(nil)

func TestCanary(t *testing.T) {
	m := metrics.New()
	m.RegisterCanaryAge(func() time.Duration { return 1500 * time.Millisecond })
	ahead, known := time.Duration(0), false
	m.RegisterClock(func() (time.Duration, bool) { return ahead, known })
	m.CanaryReturned(3 * time.Millisecond)
	scrapeOf(t, m).expect(t, map[string]string{`relay_redis_clock_ahead_seconds`: "NaN"})
	ahead, known = -250*time.Millisecond, true
	scrapeOf(t, m).expect(t, map[string]string{
		`relay_canary_age_seconds`:                 "1.5",
		`relay_redis_clock_ahead_seconds`:          "-0.25",
		`relay_canary_seconds_count`:               "1",
		`relay_canary_seconds_bucket{le="0.0025"}`: "0",
		`relay_canary_seconds_bucket{le="0.005"}`:  "1",
	})
}
