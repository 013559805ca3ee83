package redisbus_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"relay/bus"
	"relay/bus/bustest"
	"relay/tests/redistest"
)

// TestMemoryInRedis measures what docs/running.md says about memory, with a
// server of its own. -v shows the numbers. They depend on the version of Redis
// and its allocator, so the page may be off by a half.
func TestMemoryInRedis(t *testing.T) {
	page, err := os.ReadFile("../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		what    string
		measure func(*testing.T, bus.Bus) (things int)
	}{
		{"an event with 128 bytes of data, in a history of 256", func(t *testing.T, b bus.Bus) int { return fill(t, b, 100, 256, 128) }},
		{"an event with 1024 bytes of data, in a history of 256", func(t *testing.T, b bus.Bus) int { return fill(t, b, 20, 256, 1024) }},
		{"a channel with only one event, of 128 bytes, in its history", func(t *testing.T, b bus.Bus) int { return fill(t, b, 1000, 1, 128) }},
		{"a channel of which only the position is left", func(t *testing.T, b bus.Bus) int {
			const channels = 5000
			for n := range channels {
				bustest.Resume(t, b, fmt.Sprintf("orders.%05d", n), bus.FromNow(), 1)
			}
			return channels
		}},
		{"an idempotency key of 36 bytes", func(t *testing.T, b bus.Bus) int {
			const keys = 5000
			batch := make([]bus.Publication, keys)
			for n := range batch {
				batch[n] = bustest.Number("orders.42", n)
				batch[n].Transient, batch[n].Key = true, fmt.Sprintf("%036d", n)
			}
			bustest.Publish(t, b, batch...)
			return keys
		}},
	} {
		t.Run(m.what, func(t *testing.T) {
			server := redistest.Start(t)
			b := open(t, server, "relay:", bus.Everywhere(bus.Retention{Size: 256, TTL: bus.KeyTTL, PositionTTL: 2 * bus.KeyTTL}))
			bustest.NewEar(b)
			bustest.AwaitHealthy(t, b)
			before := usedMemory(t, server)
			things := m.measure(t, b)
			got := float64(usedMemory(t, server)-before) / float64(things)
			want := documented(t, string(page), m.what)
			t.Logf("%s: %.0f bytes; docs/running.md says %.0f", m.what, got, want)
			if got < want/1.5 || got > want*1.5 {
				t.Errorf("%s takes %.0f bytes; docs/running.md says %.0f", m.what, got, want)
			}
		})
	}
}

// fill publishes events of one size to each of some channels, and returns how
// many events that are.
func fill(t *testing.T, b bus.Bus, channels, events, size int) int {
	t.Helper()
	data := []byte(`"` + strings.Repeat("x", size-2) + `"`)
	for n := range channels {
		batch := make([]bus.Publication, events)
		for i := range batch {
			batch[i] = bus.Publication{Channel: fmt.Sprintf("orders.%05d", n), Name: "order.paid", Data: data}
		}
		bustest.Publish(t, b, batch...)
	}
	return channels * events
}

// usedMemory is what Redis says it has allocated, so that every table and
// every expiry counts, and not only the values.
func usedMemory(t *testing.T, server *redistest.Server) int {
	t.Helper()
	reply := server.Do("EVAL", `return tonumber(string.match(redis.call('INFO', 'memory'), 'used_memory:(%d+)'))`, "0")
	n, err := strconv.Atoi(strings.TrimPrefix(reply, ":"))
	if err != nil {
		t.Fatalf("INFO memory: %s", reply)
	}
	return n
}

// documented finds a row of the page's table.
func documented(t *testing.T, page, what string) float64 {
	t.Helper()
	row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(what) + ` \| (\d+) \|$`).FindStringSubmatch(page)
	if row == nil {
		t.Fatalf("docs/running.md has no row for %s", what)
	}
	n, err := strconv.ParseFloat(row[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
