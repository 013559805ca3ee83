package relays

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"relay/retry"
	"relay/tests/faultproxy"
	"relay/tests/redistest"
	"relay/tests/relaytest"
)

const outagePage = "../../docs/redis-outages.md"

// outage is a line of the page, as far as a test can hold the program to it.
type outage struct {
	kept, transient int      // status of publishing
	resets          []string // causes a connected client may be told; none: it is told nothing
	closes          bool     // a connected client is closed with 4503
	returning       []string // causes a client that comes back may be told; none: it is recovered
	ready, strict   int      // status of /readyz
	log             []string // what stands in the log
}

var (
	quoted      = regexp.MustCompile("`([^`]+)`")
	statusOf    = regexp.MustCompile(`^\d{3}\b`)
	canaryCount = regexp.MustCompile("(?m)^relay_canary_seconds_count .*$")
	causesFor   = regexp.MustCompile("`(trimmed|diverged|unknown)`")
)

// outages reads the page's table.
func outages(t *testing.T) map[string]outage {
	t.Helper()
	text, err := os.ReadFile(outagePage)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]outage{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 9 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[1]) == "publish" {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		status := func(i int) int {
			n, err := strconv.Atoi(statusOf.FindString(cells[i]))
			if err != nil {
				t.Fatalf("%s: column %d begins with no status: %q", cells[0], i+1, cells[i])
			}
			return n
		}
		lines[cells[0]] = outage{
			kept: status(1), transient: status(2),
			resets: matches(causesFor, cells[3]), closes: strings.Contains(cells[3], "4503"),
			returning: matches(causesFor, cells[4]),
			ready:     status(5), strict: status(6),
			log: matches(quoted, cells[7]),
		}
	}
	return lines
}

func matches(pattern *regexp.Regexp, text string) (list []string) {
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// redisFaults breaks Redis, or the way to it, as a line of the page says, and mends it.
var redisFaults = map[string]struct{ begin, end func(*outageRig) }{
	"down": {
		func(g *outageRig) { g.redis.Stop() },
		func(g *outageRig) { g.redis.Restart() },
	},
	"down, and back without its data": {
		func(g *outageRig) { g.redis.Stop() },
		func(g *outageRig) { g.loseData(); g.redis.Restart() },
	},
	"slow": {
		func(g *outageRig) { g.proxy.Delay(200 * time.Millisecond) },
		func(g *outageRig) { g.proxy.Heal() },
	},
	"slower than 5 s": {
		func(g *outageRig) { g.proxy.Delay(4 * time.Second) },
		func(g *outageRig) { g.proxy.Heal() },
	},
	"half-open: its answers are lost": {
		func(g *outageRig) { g.proxy.Freeze(faultproxy.ToClient) },
		func(g *outageRig) { g.proxy.Heal() },
	},
	"half-open: nothing gets there": {
		func(g *outageRig) { g.proxy.Freeze(faultproxy.ToServer) },
		func(g *outageRig) { g.proxy.Heal() },
	},
	"memory full (`noeviction`)": {
		func(g *outageRig) { g.redis.Do("CONFIG", "SET", "maxmemory", "1") },
		func(g *outageRig) { g.redis.Do("CONFIG", "SET", "maxmemory", "0") },
	},
	"a read-only replica answers": {
		func(g *outageRig) { g.redis.Do("REPLICAOF", "127.0.0.1", "1") },
		func(g *outageRig) { g.redis.Do("REPLICAOF", "NO", "ONE") },
	},
	"ACL: no PUBLISH": {
		func(g *outageRig) { g.redis.Do("ACL", "SETUSER", "app", "-publish") },
		func(g *outageRig) { g.redis.Do("ACL", "SETUSER", "app", "+publish") },
	},
	"ACL: no SUBSCRIBE": {
		func(g *outageRig) {
			g.redis.Do("ACL", "SETUSER", "app", "-subscribe")
			g.redis.Do("CLIENT", "KILL", "TYPE", "pubsub")
		},
		func(g *outageRig) { g.redis.Do("ACL", "SETUSER", "app", "+subscribe") },
	},
	"ACL: no keys": {
		func(g *outageRig) { g.redis.Do("ACL", "SETUSER", "app", "resetkeys") },
		func(g *outageRig) { g.redis.Do("ACL", "SETUSER", "app", "~*") },
	},
	"`SCRIPT FLUSH`": {
		func(g *outageRig) { g.redis.Do("SCRIPT", "FLUSH") },
		func(*outageRig) {},
	},
	"a channel's stream evicted or deleted": {
		func(g *outageRig) { g.redis.Do("DEL", "relay:a") },
		func(*outageRig) {},
	},
	"a channel's head evicted or deleted": {
		func(g *outageRig) { g.redis.Do("DEL", "{relay:a}h") },
		func(*outageRig) {},
	},
	"`FLUSHALL`": {
		func(g *outageRig) { g.redis.Do("FLUSHALL") },
		func(*outageRig) {},
	},
}

// Every line of the page is true.
func TestRedisOutages(t *testing.T) {
	lines := outages(t)
	documented, tested := slices.Sorted(maps.Keys(lines)), slices.Sorted(maps.Keys(redisFaults))
	if !slices.Equal(documented, tested) {
		t.Fatalf("the page has %q,\nthe test %q", documented, tested)
	}
	for _, name := range tested {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newOutageRig(t).run(name, lines[name])
		})
	}
}

// A client that comes while its relay cannot learn where a channel stands is
// told to come later, in a form that its kind of client survives: who asks for
// two channels is not kept for the sake of one.
func TestNewClientDuringAnOutage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"down", "half-open: nothing gets there", "a read-only replica answers", "ACL: no keys", "ACL: no SUBSCRIBE",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newOutageRig(t)
			redisFaults[name].begin(g)
			g.await("the outage to be noticed", func() bool { return g.readyz(g.relays[1]) == http.StatusServiceUnavailable })
			relay, one, two := g.relays[0], "channel=b", "channel=c&channel=d"
			wsOne, wsTwo := relay.WebSocket(t, one), relay.WebSocket(t, two)
			sseOne, sseTwo := relay.EventStream(t, one), relay.EventStream(t, two)
			g.isSentAway(wsOne, sseOne)
			g.isSentAway(wsTwo, sseTwo)
			redisFaults[name].end(g)
		})
	}
}

func (g *outageRig) isSentAway(ws *relaytest.WS, sse *relaytest.SSE) {
	g.t.Helper()
	relaytest.Expect(g.t, ws, "welcome")
	relaytest.Expect(g.t, sse, "welcome")
	if f := relaytest.Expect(g.t, ws, "error"); f.Code != "unavailable" || f.Channel == "" {
		g.t.Errorf("over WebSocket: %+v", f)
	}
	if code, _ := ws.Closed(g.t); code != 4503 {
		g.t.Errorf("closed with %d", code)
	}
	f := relaytest.Next(g.t, sse)
	for f.Type != "goodbye" {
		f = relaytest.Next(g.t, sse)
	}
	if f.Reason != "unavailable" || f.ReconnectIn < 1000 {
		g.t.Errorf("over SSE: %+v", f)
	}
}

// outageRig is one Redis behind a proxy, two relays that differ in
// strictness, and a client on each that stays all the time.
type outageRig struct {
	t       *testing.T
	data    string // folder of Redis's data
	redis   *redistest.Server
	proxy   *faultproxy.Proxy
	relays  [2]*relaytest.Relay // [1] is strict
	clients [2]*faithful
	acked   []string // IDs of kept events that were answered 200
	number  int
}

func newOutageRig(t *testing.T) *outageRig {
	g := &outageRig{t: t, data: t.TempDir()}
	g.redis = redistest.Start(t, "--dir", g.data, "--appendonly", "yes", "--appendfsync", "always",
		"--user", "app", "on", ">secret", "~*", "&*", "+@all")
	g.proxy = faultproxy.New(t, g.redis.Addr)
	url := "RELAY_REDIS_URL=redis://app:secret@" + g.proxy.Addr
	for i, strict := range []string{"false", "true"} {
		g.relays[i] = relaytest.Start(t, url, "RELAY_READY_STRICT="+strict)
	}
	for i, r := range g.relays {
		g.await("the relay to hear", func() bool { return g.healthy(r) })
		g.clients[i] = follow(t, r)
	}
	return g
}

func (g *outageRig) loseData() {
	g.t.Helper()
	if err := os.RemoveAll(filepath.Join(g.data, "appendonlydir")); err != nil {
		g.t.Fatal(err)
	}
}

func (g *outageRig) await(what string, ok func() bool) {
	g.t.Helper()
	relaytest.Eventually(g.t, what, ok)
}

func (g *outageRig) healthy(r *relaytest.Relay) bool {
	return strings.Contains(relaytest.Do(g.t, "GET", r.OpsURL+"/metrics", "").Body, "\nrelay_bus_healthy 1\n")
}

// canaries is how many have come back to a relay.
func (g *outageRig) canaries(r *relaytest.Relay) string {
	g.t.Helper()
	return canaryCount.FindString(relaytest.Do(g.t, "GET", r.OpsURL+"/metrics", "").Body)
}

func (g *outageRig) readyz(r *relaytest.Relay) int {
	return relaytest.Do(g.t, "GET", r.OpsURL+"/readyz", "").Status
}

func (g *outageRig) run(name string, want outage) {
	for range 5 {
		g.mustTake()
	}
	left := g.acked[2] // where the client was that comes back afterwards

	fault := redisFaults[name]
	begun := time.Now()
	fault.begin(g)
	g.publish("") // at once, while nobody has noticed yet
	g.during(want)
	g.t.Logf("broken for %v", time.Since(begun).Round(time.Millisecond))
	fault.end(g)
	mended := time.Now()
	g.after(want, left)
	g.t.Logf("well after %v", time.Since(mended).Round(time.Millisecond))
}

// publish posts the next event and says what the answer was. It must come
// soon, and an event that was not taken must be answered so.
func (g *outageRig) publish(extra string) int {
	g.t.Helper()
	g.number++
	begun := time.Now()
	a := relaytest.Do(g.t, "POST", g.relays[0].APIURL+"/v1/events",
		fmt.Sprintf(`{"channel":"a","event":"n","data":%d%s}`, g.number, extra))
	if took := time.Since(begun); took > 10*time.Second {
		g.t.Errorf("publishing was answered %d after %v", a.Status, took)
	}
	switch a.Status {
	case http.StatusOK:
		var answer struct{ Results []struct{ ID string } }
		if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || len(answer.Results) != 1 {
			g.t.Fatalf("publish answered %s", a.Body)
		}
		if id := answer.Results[0].ID; id != "" {
			g.acked = append(g.acked, id)
		}
	case http.StatusServiceUnavailable:
		if a.Header.Get("Retry-After") == "" {
			g.t.Errorf("503 without Retry-After: %s", a.Body)
		}
	default:
		g.t.Errorf("publish: %d %s", a.Status, a.Body)
	}
	return a.Status
}

const withoutHistory = `,"history":false`

func (g *outageRig) mustTake() {
	g.t.Helper()
	if status := g.publish(""); status != http.StatusOK {
		g.t.Fatalf("publish: %d", status)
	}
}

// during checks what the page says of the time while the fault lasts.
func (g *outageRig) during(want outage) {
	g.t.Helper()
	strict := g.relays[1]
	if want.strict == http.StatusOK && want.kept != http.StatusOK {
		// Not only as long as nobody has noticed.
		before := g.canaries(strict)
		g.await("a canary to come back in spite of the fault", func() bool { return g.canaries(strict) != before })
	}
	g.await("the strict relay's readiness as the page says", func() bool { return g.readyz(strict) == want.strict })
	for _, r := range g.relays {
		g.await("relay_bus_healthy as the strict relay's readiness", func() bool { return g.healthy(r) == (want.strict == http.StatusOK) })
	}
	if got := g.readyz(g.relays[0]); got != want.ready {
		g.t.Errorf("/readyz: %d, want %d", got, want.ready)
	}
	if got := g.publish(""); got != want.kept {
		g.t.Errorf("publish: %d, want %d", got, want.kept)
	}
	refused := strings.Contains(relaytest.Do(g.t, "GET", g.relays[0].OpsURL+"/metrics", "").Body, `relay_api_refused_total{code="unavailable"}`)
	if want.kept != http.StatusOK && !refused {
		g.t.Error("relay_api_refused_total does not count what was refused")
	}
	if got := g.publish(withoutHistory); got != want.transient {
		g.t.Errorf("publish without history: %d, want %d", got, want.transient)
	}
	for i := range g.relays {
		if want.closes {
			g.await("the client to be closed with 4503", func() bool { return g.clients[i].state().closed > 0 })
			continue
		}
		before := g.clients[i].state().pongs
		g.clients[i].ping(g.t)
		g.await("a connected client to be answered", func() bool { return g.clients[i].state().pongs > before })
	}
}

// after checks that all is well again, by itself, and what everybody has got.
func (g *outageRig) after(want outage, left string) {
	g.t.Helper()
	for _, r := range g.relays {
		g.await("the relay to be well", func() bool { return g.healthy(r) && g.readyz(r) == http.StatusOK })
	}
	g.await("an event to be taken", func() bool { return g.publish("") == http.StatusOK })
	if len(want.resets) > 0 {
		for _, c := range g.clients {
			g.await("a reset", func() bool { return len(c.state().resets) > 0 })
		}
	}
	g.await("an event without history to be taken", func() bool { return g.publish(withoutHistory) == http.StatusOK })
	for _, text := range want.log {
		g.await(fmt.Sprintf("the log to say %q", text), func() bool { return strings.Contains(g.relays[0].Log(), text) })
	}
	g.mustTake()
	last := g.acked[len(g.acked)-1]
	for i, c := range g.clients {
		g.await("the last event", func() bool { return slices.Contains(c.state().ids, last) })
		g.judge(fmt.Sprintf("the client of relay %d", i), c.state(), g.acked, want.resets)
		if got := c.state().closed; got > 0 && !want.closes {
			g.t.Errorf("the client of relay %d was closed %d times", i, got)
		}
	}
	behind := g.acked[slices.Index(g.acked, left)+1:]
	for i, r := range g.relays {
		c := followSince(g.t, r, left)
		if len(want.returning) == 0 {
			g.await("the last event", func() bool { return slices.Contains(c.state().ids, last) })
		} else {
			g.await("a reset", func() bool { return len(c.state().resets) > 0 })
		}
		g.judge(fmt.Sprintf("a client that came back to relay %d", i), c.state(), behind, want.returning)
	}
}

// judge: no hole and nothing twice, and either every acknowledged event or a
// reset with a cause that the page names.
func (g *outageRig) judge(who string, got seen, acked, causes []string) {
	g.t.Helper()
	if len(got.wrong) > 0 {
		g.t.Errorf("%s: %s", who, strings.Join(got.wrong, "; "))
	}
	for _, cause := range got.resets {
		if !slices.Contains(causes, cause) {
			g.t.Errorf("%s was told reset %q; the page allows %q", who, cause, causes)
		}
	}
	if len(causes) > 0 {
		return
	}
	for _, id := range acked {
		if !slices.Contains(got.ids, id) {
			g.t.Errorf("%s did not get %s, which was acknowledged; it saw %v", who, id, got.ids)
		}
	}
}

// faithful is a client of channel a that reads on, and comes back with its
// position when it is told to come later.
type faithful struct {
	relay *relaytest.Relay

	mu   sync.Mutex
	conn *relaytest.WS
	seen seen
}

// seen is what a client has seen.
type seen struct {
	ids    []string // of events, in order
	last   string   // position
	resets []string // causes
	pongs  int
	closed int      // with 4503
	wrong  []string // holes, repeats, other ends
}

// follow returns when the client is subscribed.
func follow(t *testing.T, r *relaytest.Relay) *faithful {
	t.Helper()
	c := followSince(t, r, "")
	relaytest.Eventually(t, "the subscription", func() bool { return c.state().last != "" })
	return c
}

func followSince(t *testing.T, r *relaytest.Relay, since string) *faithful {
	c := &faithful{relay: r, seen: seen{last: since}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

func (c *faithful) state() seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seen
	s.ids, s.resets, s.wrong = slices.Clone(s.ids), slices.Clone(s.resets), slices.Clone(s.wrong)
	return s
}

func (c *faithful) ping(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	conn.Send(t, `{"type":"ping"}`)
}

// comeBack is the pause of a client that was told to come later.
const comeBack = 200 * time.Millisecond

func (c *faithful) run(ctx context.Context) {
	for ctx.Err() == nil {
		query := "channel=a"
		if since := c.state().last; since != "" {
			query += "&since=" + since
		}
		conn, answer, err := c.relay.TryWebSocket(query)
		if err != nil {
			c.note(fmt.Sprintf("refused with %d: %v", answer.Status, err))
			return
		}
		c.mu.Lock()
		c.conn = conn
		c.mu.Unlock()
		again := c.read(ctx, conn)
		_ = conn.CloseNow()
		if !again {
			return
		}
		retry.Sleep(ctx, comeBack)
	}
}

func (c *faithful) note(wrong string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.wrong = append(c.seen.wrong, wrong)
}

// read reads until the connection ends. It reports whether to come back.
func (c *faithful) read(ctx context.Context, conn *relaytest.WS) bool {
	for {
		f, err := conn.Read(ctx)
		if ctx.Err() != nil {
			return false
		}
		c.mu.Lock()
		if err != nil {
			later := strings.Contains(err.Error(), "4503")
			if later {
				c.seen.closed++
			} else {
				c.seen.wrong = append(c.seen.wrong, err.Error())
			}
			c.mu.Unlock()
			return later
		}
		c.seen.take(f)
		c.mu.Unlock()
	}
}

func (s *seen) take(f relaytest.Frame) {
	switch f.Type {
	case "pong":
		s.pongs++
	case "subscribed":
		if s.last == "" {
			s.last = f.ID
		}
	case "reset":
		s.resets = append(s.resets, f.Reason)
		s.last = f.ID
	case "event":
		if f.ID == "" {
			return
		}
		if offsetOf(f.ID) != offsetOf(s.last)+1 {
			s.wrong = append(s.wrong, fmt.Sprintf("%s after %s", f.ID, s.last))
		}
		s.ids = append(s.ids, f.ID)
		s.last = f.ID
	}
}

// offsetOf is a position's number in its channel.
func offsetOf(id string) int {
	parts := strings.Split(id, "-")
	if len(parts) != 3 {
		return -1
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return -1
	}
	return n
}
