package monitoring

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"relay/tests/relaytest"
)

// prometheus is one that scrapes a relay.
type prometheus struct {
	url string
	log relaytest.Output
}

// watch runs Prometheus with the alert rules until the test ends.
func watch(t *testing.T, r *relaytest.Relay, flags ...string) *prometheus {
	t.Helper()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yaml")
	err = os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [%q]
scrape_configs:
  - job_name: relay
    static_configs: [{targets: [%q]}]
`, rules, strings.TrimPrefix(r.OpsURL, "http://")), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	addr := relaytest.QuietAddr(t)
	p := &prometheus{url: "http://" + addr}
	cmd := exec.Command("prometheus", append([]string{
		"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + addr, "--log.level=warn",
	}, flags...)...)
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus says:\n%s", p.log.String())
		}
	})
	relaytest.Eventually(t, "Prometheus to be ready", func() bool {
		answer, err := relaytest.TryDo("GET", p.url+"/-/ready", "")
		return err == nil && answer.Status == 200
	})
	return p
}

// query asks for an instant vector of one number; ok is false if there is none.
func (p *prometheus) query(t *testing.T, expr string) (value float64, ok bool) {
	t.Helper()
	answer := relaytest.Do(t, "GET", p.url+"/api/v1/query?query="+url.QueryEscape(expr), "")
	var reply struct {
		Status string
		Data   struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal([]byte(answer.Body), &reply); err != nil || reply.Status != "success" {
		t.Fatalf("%s: %d %s", expr, answer.Status, answer.Body)
	}
	if len(reply.Data.Result) != 1 {
		return 0, false
	}
	text, _ := reply.Data.Result[0].Value[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	return value, err == nil
}

// await waits until an expression has a value: Prometheus sees what has
// happened with its next scrape.
func (p *prometheus) await(t *testing.T, expr string, want float64) {
	t.Helper()
	var got float64
	deadline := time.Now().Add(relaytest.Patience)
	for ok := false; !ok || got != want; got, ok = p.query(t, expr) {
		if time.Now().After(deadline) {
			t.Errorf("%s is %v, want %v", expr, got, want)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// between asks for a value that has no exact number.
func (p *prometheus) between(t *testing.T, expr string, least, most float64) {
	t.Helper()
	if got, ok := p.query(t, expr); !ok || got < least || got > most {
		t.Errorf("%s is %v (%t), want %v to %v", expr, got, ok, least, most)
	}
}

// TestPrometheusSeesWhatHappened: two of them, as there are two kinds of
// histograms, scrape a relay with clients, events and mistakes.
func TestPrometheusSeesWhatHappened(t *testing.T) {
	r := startRelay(t)
	native, classic := watch(t, r, "--enable-feature=native-histograms"), watch(t, r)
	took := story(t, r)

	for name, p := range map[string]*prometheus{"native": native, "classic": classic} {
		t.Run(name, func(t *testing.T) {
			for expr, want := range map[string]float64{
				`relay_connections{transport="ws"}`:                                       2,
				`relay_connections{transport="sse"}`:                                      1,
				`relay_connections_opened_total{transport="ws"}`:                          3,
				`relay_connections_closed_total{transport="ws",reason="client_closed"}`:   1,
				`relay_connections_closed_total{transport="ws",reason="connection_lost"}`: 0,
				`relay_connections_refused_total{transport="sse",code="invalid_channel"}`: 1,
				`relay_subscriptions`:                          3,
				`relay_max_connections`:                        1234,
				`relay_events_published_total`:                 4,
				`relay_events_delivered_total`:                 4*2 + 1 + 2,
				`relay_resumes_total{outcome="fresh"}`:         3,
				`relay_resumes_total{outcome="recovered"}`:     1,
				`sum(relay_resets_total)`:                      0,
				`relay_api_refused_total{code="invalid_json"}`: 1,
				`relay_bus_healthy`:                            1,
				`relay_draining`:                               0,
				`relay_queue_bytes`:                            0,
				`count(relay_build_info)`:                      1,
				`up`:                                           1,
				`count(relay_memory_limit_bytes > 0)`:          1,
			} {
				p.await(t, expr, want)
			}
			p.between(t, "relay_canary_age_seconds", 0, relaytest.Patience.Seconds())
			p.between(t, "relay_redis_clock_ahead_seconds", -10, 10)
			p.rulesAreWell(t)
		})
	}

	// What the four events took, from the POST to the sockets, is part of what
	// the story took. Where clocks meet there is a little more or less.
	most := took.Seconds() + 1
	native.await(t, "histogram_count(relay_delivery_seconds)", 4)
	native.between(t, "histogram_sum(relay_delivery_seconds)", 1e-9, 4*most)
	native.between(t, "histogram_quantile(0.99, relay_delivery_seconds)", 1e-9, most*1.1)
	native.await(t, `histogram_count(relay_publish_seconds{outcome="taken"})`, 3)
	native.await(t, `histogram_count(relay_publish_seconds{outcome="failed"})`, 0)
	classic.await(t, "relay_delivery_seconds_count", 4)
	classic.await(t, `relay_delivery_seconds_bucket{le="+Inf"}`, 4)
	classic.await(t, `relay_publish_seconds_count{outcome="taken"}`, 3)
	classic.between(t, "histogram_quantile(0.99, relay_delivery_seconds_bucket)", 1e-9, 60)
}

// story is what both are asked about: three clients of which one comes back,
// four events in three requests, and two mistakes.
func story(t *testing.T, r *relaytest.Relay) time.Duration {
	t.Helper()
	begin := time.Now()
	stays, leaves, stream := r.WebSocket(t, "channel=a"), r.WebSocket(t, "channel=a"), r.EventStream(t, "channel=a")
	for _, s := range []relaytest.Stream{stays, leaves, stream} {
		relaytest.Welcome(t, s, 1)
	}
	first := r.Publish(t, `{"channel":"a","event":"x","data":1}`)[0]
	relaytest.Expect(t, leaves, "event")
	if err := leaves.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	r.Publish(t, `{"channel":"a","event":"x","data":2}`)
	r.Publish(t, `[{"channel":"a","event":"x","data":3},{"channel":"a","event":"x","data":4,"history":false}]`)
	for _, s := range []relaytest.Stream{stays, stream} {
		for range 4 {
			relaytest.Expect(t, s, "event")
		}
	}
	back := r.WebSocket(t, "channel=a&since="+first)
	relaytest.Welcome(t, back, 1)
	for range 2 {
		relaytest.Expect(t, back, "event")
	}
	if a := relaytest.Do(t, "POST", r.APIURL+"/v1/events", `{`); a.Status != 400 {
		t.Fatalf("half a request: %d %s", a.Status, a.Body)
	}
	if a := relaytest.Do(t, "GET", r.PublicURL+"/v1/sse?channel="+url.QueryEscape("a*"), ""); a.Status != 400 {
		t.Fatalf("a pattern for a channel: %d %s", a.Status, a.Body)
	}
	return time.Since(begin)
}

// rulesAreWell: Prometheus has evaluated every rule, and none fires for a relay
// that does what it should.
func (p *prometheus) rulesAreWell(t *testing.T) {
	t.Helper()
	type state struct{ Name, Health, LastError, State string }
	var rules []state
	relaytest.Eventually(t, "Prometheus to evaluate the rules", func() bool {
		var reply struct {
			Data struct{ Groups []struct{ Rules []state } }
		}
		answer := relaytest.Do(t, "GET", p.url+"/api/v1/rules", "")
		if err := json.Unmarshal([]byte(answer.Body), &reply); err != nil {
			t.Fatalf("%v: %s", err, answer.Body)
		}
		rules = nil
		for _, g := range reply.Data.Groups {
			rules = append(rules, g.Rules...)
		}
		for _, r := range rules {
			if r.Health == "unknown" {
				return false
			}
		}
		return len(rules) > 0
	})
	if want := len(readRules(t)); len(rules) != want {
		t.Errorf("%d rules, want %d", len(rules), want)
	}
	for _, r := range rules {
		if r.Health != "ok" || r.State != "inactive" {
			t.Errorf("%s is %s (%s) and %s", r.Name, r.Health, r.LastError, r.State)
		}
	}
}
