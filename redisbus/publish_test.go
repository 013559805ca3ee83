package redisbus_test

import (
	"strconv"
	"strings"
	"testing"

	"relay/bus"
	"relay/bus/bustest"
	"relay/tests/redistest"
)

func usual(channel string) bus.Publication {
	return bus.Publication{Channel: channel, Name: "order.paid", Data: []byte(`{"a":"` + strings.Repeat("x", 120) + `"}`)}
}

// Bounds, not counts: a single event takes 31 allocations, the driver's among
// them, and each further one of its channel 3. What else goes on in the bus
// meanwhile is counted too.
func TestPublishingAllocatesLittle(t *testing.T) {
	b := open(t, redistest.Start(t), "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	hundred := make([]bus.Publication, 100)
	for i := range hundred {
		hundred[i] = usual("c")
	}
	for _, c := range []struct {
		what  string
		batch []bus.Publication
		most  float64
	}{
		{"one event", hundred[:1], 45},
		{"a hundred of one channel", hundred, 500},
	} {
		n := testing.AllocsPerRun(300, func() { bustest.Publish(t, b, c.batch...) })
		t.Logf("%s: %.0f allocations", c.what, n)
		if n > c.most {
			t.Errorf("%v allocations to publish %s; want at most %v", n, c.what, c.most)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	redis := open(b, redistest.Start(b), "relay:", bustest.Keep)
	bustest.NewEar(redis)
	bustest.AwaitHealthy(b, redis)
	b.Run("one by 32 publishers", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for n := 0; pb.Next(); n++ {
				bustest.Publish(b, redis, usual("c"+strconv.Itoa(n%100)))
			}
		})
	})
	batch := make([]bus.Publication, 100)
	for _, channels := range []int{1, 100} {
		for i := range batch {
			batch[i] = usual("c" + strconv.Itoa(i%channels))
		}
		b.Run("a hundred to "+strconv.Itoa(channels), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bustest.Publish(b, redis, batch...)
			}
		})
	}
}
