package membus_test

import (
	"testing"
	"testing/synctest"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/event"
	"relay/membus"
)

func TestContract(t *testing.T) {
	bustest.Run(t, func(tb testing.TB, keep bus.Keep) (func() bus.Bus, bool) {
		return func() bus.Bus {
			b := membus.New(keep)
			tb.Cleanup(b.Close)
			return b
		}, false
	})
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membus.New(bus.Everywhere(bus.Retention{Size: 10, TTL: time.Minute, PositionTTL: time.Hour}))
		defer b.Close()
		keyed := bustest.Number("c", 1)
		keyed.Key = "k"
		first := bustest.Publish(t, b, keyed)[0].ID
		time.Sleep(30 * time.Second)
		second := bustest.Publish(t, b, bustest.Number("c", 2))[0].ID

		time.Sleep(31 * time.Second)
		if page := bustest.Resume(t, b, "c", bus.FromStart(), 10); len(page.Events) != 1 || page.Events[0].Event.ID != second {
			t.Errorf("a minute on, history holds %v", page.Events)
		}
		if page := bustest.Resume(t, b, "c", bus.FromPosition(first), 10); !page.Recovered || len(page.Events) != 1 {
			t.Errorf("the entry before the oldest is still a good position: %+v", page)
		}

		time.Sleep(5 * time.Minute)
		if page := bustest.Resume(t, b, "c", bus.FromPosition(second), 10); !page.Recovered || page.Reset != "" {
			t.Errorf("a quiet channel whose history expired is no loss: %+v", page)
		}
		if page := bustest.Resume(t, b, "c", bus.FromPosition(first), 10); page.Reset != event.ResetTrimmed {
			t.Errorf("a position before expired events: %+v", page)
		}
		if r := bustest.Publish(t, b, keyed)[0]; !r.Duplicate || r.ID != first {
			t.Errorf("a key used within ten minutes: %+v", r)
		}

		time.Sleep(5 * time.Minute)
		if r := bustest.Publish(t, b, keyed)[0]; r.Duplicate {
			t.Error("a key was remembered for more than ten minutes")
		}

		third := bustest.Resume(t, b, "c", bus.FromNow(), 10).Head
		time.Sleep(2 * time.Hour)
		if page := bustest.Resume(t, b, "c", bus.FromPosition(third), 10); page.Reset != event.ResetUnknown {
			t.Errorf("a position older than its TTL: %+v", page)
		}
	})
}

// Of many keys each lives its own ten minutes, and a repeat does not renew it.
func TestKeysExpireInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membus.New(bustest.Keep)
		defer b.Close()
		publish := func(channel string, n int) bool {
			p := bustest.Number(channel, n)
			p.Key = string(p.Data)
			return bustest.Publish(t, b, p)[0].Duplicate
		}
		const keys = 20
		for n := range keys {
			if publish("a", n) || publish("b", n) {
				t.Fatalf("key %d is known before its time", n)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(bus.KeyTTL - keys*time.Second - time.Millisecond)
		for n := range keys {
			if !publish("a", n) || !publish("b", n) {
				t.Errorf("key %d was forgotten too early", n)
			}
		}
		for n := range keys {
			time.Sleep(time.Millisecond)
			if publish("a", n) {
				t.Errorf("key %d was remembered for too long", n)
			}
			time.Sleep(time.Second - time.Millisecond)
			if n+1 < keys && !publish("b", n+1) {
				t.Errorf("key %d was forgotten together with an older one", n+1)
			}
		}
	})
}
