package relays

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"relay/tests/redistest"
	"relay/tests/relaytest"
)

// onOneRedis starts n relays on one redis-server.
func onOneRedis(t *testing.T, n int, env ...string) ([]*relaytest.Relay, *redistest.Server) {
	t.Helper()
	redis := redistest.Start(t)
	var relays []*relaytest.Relay
	for range n {
		relays = append(relays, relaytest.Start(t, append(env, "RELAY_REDIS_URL="+redis.URL())...))
	}
	for _, r := range relays {
		awaitReady(t, r)
	}
	return relays, redis
}

func awaitReady(t *testing.T, r *relaytest.Relay) {
	t.Helper()
	relaytest.Eventually(t, "the relay to be ready", func() bool {
		return relaytest.Do(t, "GET", r.OpsURL+"/readyz", "").Status == http.StatusOK
	})
}

func number(channel string, n int) string {
	return fmt.Sprintf(`{"channel":%q,"event":"n","data":%d}`, channel, n)
}

func TestEventReachesTheClientsOfAllRelays(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprintf("%d relays", n), func(t *testing.T) {
			relays, _ := onOneRedis(t, n)
			var clients []relaytest.Stream
			for _, r := range relays {
				ws, sse := r.WebSocket(t, "channel=a&channel=b"), r.EventStream(t, "channel=a&channel=b")
				relaytest.Welcome(t, ws, 2)
				relaytest.Welcome(t, sse, 2)
				clients = append(clients, ws, sse)
			}
			var ids []string
			for i := range 30 {
				ids = append(ids, relays[i%n].Publish(t, number("a", i))...)
			}
			for i, c := range clients {
				for k, id := range ids {
					f := relaytest.Expect(t, c, "event")
					if f.ID != id || f.Channel != "a" || string(f.Data) != strconv.Itoa(k) {
						t.Fatalf("client %d: event %d is %+v (data %s), want id %s", i, k, f, f.Data, id)
					}
				}
			}
		})
	}
}

// Hundreds of clients on three relays, the API and redis-cli publishing at
// once: every client sees the same events in the same order, each once.
func TestCrowd(t *testing.T) {
	const perRelay, publishers, each = 100, 6, 40
	relays, redis := onOneRedis(t, 3)
	var clients []relaytest.Stream
	for _, r := range relays {
		for i := range perRelay {
			var c relaytest.Stream
			if i%4 == 0 {
				c = r.EventStream(t, "channel=crowd")
			} else {
				c = r.WebSocket(t, "channel=crowd")
			}
			relaytest.Welcome(t, c, 1)
			clients = append(clients, c)
		}
	}
	var all []string
	var wg sync.WaitGroup
	for p := range publishers {
		for i := range each {
			all = append(all, strconv.Itoa(p*each+i))
		}
		wg.Go(func() {
			for i := range each {
				n := p*each + i
				if p == publishers-1 {
					if got := redis.Do("PUBLISH", "relay:crowd", fmt.Sprintf(`{"event":"n", "data": %d}`, n)); got != ":3" {
						t.Errorf("PUBLISH reached %s relays", got)
					}
					continue
				}
				relays[p%3].Publish(t, number("crowd", n))
			}
		})
	}
	seen := make([][]string, len(clients))
	var readers sync.WaitGroup
	for i, c := range clients {
		readers.Go(func() {
			list, err := relaytest.Collect(c, func(l []string) bool { return len(l) == len(all) })
			if err != nil {
				t.Errorf("client %d after %d events: %v", i, len(list), err)
			}
			seen[i] = list
		})
	}
	wg.Wait()
	readers.Wait()
	if t.Failed() {
		return
	}
	sorted := slices.Clone(seen[0])
	slices.SortFunc(sorted, byNumber)
	if !slices.Equal(sorted, all) {
		t.Fatalf("the first client saw %v", seen[0])
	}
	// Events of one publisher keep its order.
	for p := range publishers {
		last := -1
		for _, text := range seen[0] {
			if n, _ := strconv.Atoi(text); n/each == p {
				if n < last {
					t.Fatalf("%d came after %d", n, last)
				}
				last = n
			}
		}
	}
	// Those with a position come in one order for all; those that redis-cli
	// published have none, but one Redis connection each carries both.
	for i := range seen {
		if !slices.Equal(seen[i], seen[0]) {
			t.Fatalf("client %d saw another order than the first:\n%v\n%v", i, seen[i], seen[0])
		}
	}
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x - y
}

func TestKilledRelayLeavesTheOthersServing(t *testing.T) {
	relays, _ := onOneRedis(t, 3)
	victim, left := relays[0], relays[1:]
	lost := victim.WebSocket(t, "channel=a")
	relaytest.Welcome(t, lost, 1)
	var clients []relaytest.Stream
	for _, r := range left {
		c := r.WebSocket(t, "channel=a")
		relaytest.Welcome(t, c, 1)
		clients = append(clients, c)
	}
	relays[1].Publish(t, number("a", 1))
	victim.Kill()
	if _, err := relaytest.TryNext(lost); err == nil {
		_, err = relaytest.TryNext(lost)
		if err == nil {
			t.Error("a client of the killed relay is still connected")
		}
	}
	left[0].Publish(t, number("a", 2))
	left[1].Publish(t, number("a", 3))
	for _, c := range clients {
		for _, n := range []string{"1", "2", "3"} {
			if f := relaytest.Expect(t, c, "event"); string(f.Data) != n {
				t.Errorf("got %s, want %s", f.Data, n)
			}
		}
	}
}

func TestRedisRestart(t *testing.T) {
	relays, redis := onOneRedis(t, 2)
	var clients []relaytest.Stream
	for _, r := range relays {
		c := r.WebSocket(t, "channel=a")
		relaytest.Welcome(t, c, 1)
		clients = append(clients, c)
	}
	relays[0].Publish(t, number("a", 1))
	for _, c := range clients {
		relaytest.Expect(t, c, "event")
	}
	redis.Stop()
	a := relaytest.Do(t, "POST", relays[0].APIURL+"/v1/events", number("a", 2))
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("publish without Redis: %d, Retry-After %q, %s", a.Status, a.Header.Get("Retry-After"), a.Body)
	}
	redis.Restart()
	relaytest.Eventually(t, "a publish to succeed", func() bool {
		return relaytest.Do(t, "POST", relays[0].APIURL+"/v1/events", number("a", 3)).Status == http.StatusOK
	})
	for i, c := range clients {
		// Redis came back empty: what was lost cannot be known, so the client is
		// told to refetch. An event that came after that is not lost.
		if f := relaytest.Next(t, c); f.Type != "reset" {
			t.Errorf("client %d after Redis lost everything: %+v (data %s)", i, f, f.Data)
		}
	}
	relays[1].Publish(t, number("a", 4))
	for i, c := range clients {
		list, err := relaytest.Collect(c, func(l []string) bool { return slices.Contains(l, "4") })
		if err != nil {
			t.Errorf("client %d saw %v, then %v", i, list, err)
		}
	}
}

func TestCensusAndDisconnect(t *testing.T) {
	relays, _ := onOneRedis(t, 3, "RELAY_JWT_SECRET=0123456789abcdef0123456789abcdef", "RELAY_PUBLIC_CHANNELS=news")
	a := relaytest.Do(t, "POST", relays[0].APIURL+"/v1/tokens", `{"user":"alice","subscribe":["a.*"]}`)
	if a.Status != http.StatusOK {
		t.Fatalf("token: %d %s", a.Status, a.Body)
	}
	token := between(t, a.Body, `"token":"`, `"`)
	var alices []*relaytest.WS
	for i, r := range relays {
		c := r.WebSocket(t, "channel=a.1&channel=news&token="+token)
		relaytest.Welcome(t, c, 2)
		alices = append(alices, c)
		for range i {
			relaytest.Welcome(t, r.EventStream(t, "channel=news"), 1)
		}
	}
	a = relaytest.Do(t, "GET", relays[2].APIURL+"/v1/channels/news", "")
	if want := `"subscribers":{"relay":3,"all":6,"relays":3,"complete":true}`; !strings.Contains(a.Body, want) {
		t.Errorf("census: %s, want %s", a.Body, want)
	}
	a = relaytest.Do(t, "POST", relays[1].APIURL+"/v1/disconnect", `{"user":"alice","reason":"logged out"}`)
	if a.Status != http.StatusOK {
		t.Errorf("disconnect: %d %s", a.Status, a.Body)
	}
	for _, c := range alices {
		if code, reason := c.Closed(t); code != 4403 || reason != "logged out" {
			t.Errorf("closed with %d %q", code, reason)
		}
	}
}

func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok1 := strings.Cut(text, from)
	found, _, ok2 := strings.Cut(rest, to)
	if !ok1 || !ok2 {
		t.Fatalf("no %s…%s in %s", from, to, text)
	}
	return found
}

// A client that stops reading costs itself only. The others' time is measured
// against a run without it.
func TestFrozenClientDelaysNobody(t *testing.T) {
	r := relaytest.Start(t, "RELAY_QUEUE_BYTES=131072")
	run := func(frozen bool) time.Duration {
		var cathy *relaytest.WS
		if frozen {
			cathy = r.WebSocket(t, "channel=a")
			relaytest.Welcome(t, cathy, 1)
		}
		bob := r.WebSocket(t, "channel=a")
		relaytest.Welcome(t, bob, 1)
		pad := strings.Repeat("x", 32<<10)
		begin := time.Now()
		for range 400 { // 12 MB: far more than sockets and queue hold
			r.Publish(t, `{"channel":"a","event":"big","data":"`+pad+`"}`)
			relaytest.Expect(t, bob, "event")
		}
		took := time.Since(begin)
		if frozen {
			relaytest.Eventually(t, "the frozen client to be closed", func() bool {
				return strings.Contains(r.Log(), `"reason":"too_slow"`)
			})
			// It finds what was sent, up to the moment at which it was given up.
			for n := 0; ; n++ {
				ctx, cancel := context.WithTimeout(context.Background(), relaytest.Patience)
				_, err := cathy.Read(ctx)
				cancel()
				if err != nil {
					if n == 400 {
						t.Error("the frozen client got everything: nothing was tested")
					}
					break
				}
			}
		}
		return took
	}
	run(false)
	without, with := run(false), run(true)
	t.Logf("400 events to the client that reads: %v alone, %v beside a frozen one", without, with)
	if with > 3*without+time.Second {
		t.Errorf("400 events took %v beside a frozen client, %v without", with, without)
	}
}
