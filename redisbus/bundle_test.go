package redisbus_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/redisbus"
	"relay/tests/redistest"
)

// channelsOfOneCall is how many channels stand in the batches below.
const channelsOfOneCall = 100

// calls is how many scripts a server has executed.
func calls(t *testing.T, server *redistest.Server) int {
	t.Helper()
	reply := server.Do("EVAL", `return tonumber(string.match(redis.call('INFO', 'commandstats'), 'cmdstat_evalsha:calls=(%d+)'))`, "0")
	n, err := strconv.Atoi(strings.TrimPrefix(reply, ":"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSeveralChannelsAreOneCall(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	var batch []bus.Publication
	for n := range 3 * channelsOfOneCall {
		batch = append(batch, bustest.Number(fmt.Sprint("c", n%channelsOfOneCall), n))
	}
	ear.Listen(t, b, "c7")
	bustest.Publish(t, b, batch...) // and now the script is known
	before := calls(t, server)
	for i, r := range bustest.Publish(t, b, batch...) {
		if want := uint64(3 + i/channelsOfOneCall + 1); r.ID.Offset != want {
			t.Fatalf("event %d of %s has %v; want offset %d", i, batch[i].Channel, r.ID, want)
		}
	}
	// A canary or two may have come between.
	if n := calls(t, server) - before; n < 1 || n > 5 {
		t.Errorf("%d calls to publish to %d channels", n, channelsOfOneCall)
	}
	for i, d := range ear.Heard(t, "c7", 6) {
		if d.Event.ID.Offset != uint64(i+1) {
			t.Errorf("heard %v as number %d", d.Event.ID, i+1)
		}
	}
}

// What cannot be published in one channel is no concern of the others in the
// same call, wherever it stands among them.
func TestOneChannelsFailureIsItsOwn(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "app", "on", ">secret", "+@all", "~*", "resetchannels",
		"&relay:good*", "&relay:bad.head", "&relay:bad.stream", "&relay:bad.key", "&relay:_canary.*")
	b := open(t, as(server, "app"), "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	server.Do("LPUSH", "{relay:bad.head}h", "not a string")
	bustest.Publish(t, b, bustest.Number("bad.stream", 0))
	head := server.Do("GET", "{relay:bad.stream}h")
	server.Do("DEL", "relay:bad.stream")
	server.Do("LPUSH", "relay:bad.stream", "not a stream")
	server.Do("LPUSH", "{relay:bad.key}k:k", "not a string")
	keyed := bustest.Number("bad.key", 0)
	keyed.Key = "k"
	batch := []bus.Publication{
		bustest.Number("forbidden", 0), bustest.Number("good1", 1), bustest.Number("bad.head", 0),
		bustest.Number("bad.head", 0), bustest.Number("good2", 1), bustest.Number("bad.key", 0), keyed,
		bustest.Number("good3", 1), bustest.Number("good3", 2), bustest.Number("bad.stream", 0),
	}
	for _, c := range []string{"good1", "good2", "good3"} {
		ear.Listen(t, b, c)
	}
	for i, r := range b.Publish(t.Context(), batch) {
		channel := batch[i].Channel
		if good := strings.HasPrefix(channel, "good"); good != (r.Err == nil) || good == r.ID.IsZero() {
			t.Errorf("%s: %+v", channel, r)
		}
		want := "WRONGTYPE"
		if channel == "forbidden" {
			want = "NOPERM"
		}
		if r.Err != nil && (!errors.Is(r.Err, bus.ErrUnavailable) || !strings.Contains(r.Err.Error(), want)) {
			t.Errorf("%s failed with %v; want %s", channel, r.Err, want)
		}
	}
	ear.Heard(t, "good1", 1)
	ear.Heard(t, "good2", 1)
	ear.Heard(t, "good3", 2)
	for _, key := range []string{"relay:forbidden", "{relay:forbidden}h", "relay:bad.head", "relay:bad.key", "{relay:bad.key}h"} {
		if got := server.Do("EXISTS", key); got != ":0" {
			t.Errorf("%s was written", key)
		}
	}
	if got := server.Do("GET", "{relay:bad.stream}h"); got != head {
		t.Errorf("the head was %s and is %s", head, got)
	}
}

// A server whose memory is full refuses the first write of a script and lets
// the rest pass once something was written. What it took is what it answers.
func TestMemoryIsFullInTheMiddle(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	old := []bus.Publication{bustest.Number("old1", 1), bustest.Number("old2", 1)}
	bustest.Publish(t, b, old...)
	keyed := bustest.Number("keyed", 1)
	keyed.Key, keyed.Transient = "k", true
	batch := []bus.Publication{bustest.Number("old1", 2), keyed, bustest.Number("new", 1), bustest.Number("old2", 2)}
	for _, p := range batch {
		ear.Listen(t, b, p.Channel)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	receipts := b.Publish(t.Context(), batch)
	server.Do("CONFIG", "SET", "maxmemory", "0")
	if receipts[0].Err == nil || !strings.Contains(receipts[0].Err.Error(), "OOM") || receipts[1].Err == nil {
		t.Errorf("with full memory: %+v", receipts[:2])
	}
	for i, r := range bustest.Publish(t, b, batch...) {
		if r.Duplicate {
			t.Errorf("%s: a repeat of what was refused is told %+v", batch[i].Channel, r)
		}
		heard := 1
		if receipts[i].Err == nil {
			heard = 2
			if r.ID.Offset != receipts[i].ID.Offset+1 {
				t.Errorf("%s: published as %v, then as %v", batch[i].Channel, receipts[i].ID, r.ID)
			}
		}
		if got := ear.Heard(t, batch[i].Channel, heard); len(got) != heard {
			t.Errorf("%s: %d heard after %v", batch[i].Channel, len(got), receipts[i].Err)
		}
	}
}

// Requests that come at the same time go out in one call, those of one
// channel and with one key too.
func TestRepeatsInOneCall(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	keyed := func(n int) bus.Publication {
		p := bustest.Number("c", n)
		p.Key = "k"
		return p
	}
	quick := keyed(5)
	quick.Transient, quick.Key = true, "quick"
	bustest.Publish(t, b, bustest.Number("other", 0)) // and now the script is known
	before := calls(t, server)
	all := redisbus.PublishTogether(b,
		[]bus.Publication{bustest.Number("c", 1), keyed(2), bustest.Number("other", 1), quick},
		[]bus.Publication{keyed(2), bustest.Number("c", 3), quick},
		[]bus.Publication{keyed(4), bustest.Number("c", 4), bustest.Number("other", 2)})
	if n := calls(t, server) - before; n < 1 || n > 3 {
		t.Errorf("%d calls", n)
	}
	first, repeat, reused := all[0], all[1], all[2]
	if id := first[1].ID; id.Offset != 2 || !repeat[0].Duplicate || repeat[0].ID != id {
		t.Errorf("published as %+v, and again as %+v", first[1], repeat[0])
	}
	if first[3].Err != nil || first[3].Receivers != 1 || !repeat[2].Duplicate || !repeat[2].ID.IsZero() {
		t.Errorf("without history: %+v, and again %+v", first[3], repeat[2])
	}
	if !errors.Is(reused[0].Err, bus.ErrKeyReused) {
		t.Errorf("another event with that key: %+v", reused[0])
	}
	if repeat[1].ID.Offset != 3 || reused[1].ID.Offset != 4 || first[2].ID.Offset != 2 || reused[2].ID.Offset != 3 {
		t.Errorf("the events without keys: %+v", all)
	}
	heard := bustest.Numbers(t, ear.Heard(t, "c", 5))
	if want := []int{1, 2, 5, 3, 4}; fmt.Sprint(heard) != fmt.Sprint(want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
}

// What is kept for each channel alike goes out together, and the script knows
// how much that is.
func TestChannelsAreKeptAsTheyShould(t *testing.T) {
	server := redistest.Start(t)
	keep := func(channel string) bus.Retention {
		if strings.HasPrefix(channel, "short") {
			return bus.Retention{Size: 5, TTL: time.Minute, PositionTTL: time.Hour}
		}
		return bus.Retention{Size: 5, TTL: time.Hour, PositionTTL: 24 * time.Hour}
	}
	b := open(t, server, "relay:", keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	for range 3 {
		bustest.Publish(t, b, bustest.Number("short1", 1), bustest.Number("long1", 1), bustest.Number("short2", 1), bustest.Number("long2", 1))
	}
	for channel, short := range map[string]bool{"short1": true, "short2": true, "long1": false, "long2": false} {
		for name, least := range map[string]time.Duration{"relay:" + channel: keep(channel).TTL, "{relay:" + channel + "}h": keep(channel).PositionTTL} {
			ttl, err := strconv.Atoi(strings.TrimPrefix(server.Do("PTTL", name), ":"))
			life := time.Duration(ttl) * time.Millisecond
			// The test itself takes time, and a renewal lives for a slice more.
			if err != nil || life < least*9/10 || life > least+least/60 {
				t.Errorf("%s lives for %v, short: %v, %v", name, life, short, err)
			}
		}
	}
}

// A stream that went away by itself (evicted, deleted) has a TTL again.
func TestStreamIsMadeAgain(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	bustest.Publish(t, b, bustest.Number("c", 1))
	for n := 2; n < 5; n++ {
		server.Do("DEL", "relay:c")
		if id := bustest.Publish(t, b, bustest.Number("c", n))[0].ID; id.Offset != uint64(n) {
			t.Errorf("event %d is %v", n, id)
		}
		if got := server.Do("PTTL", "relay:c"); strings.HasPrefix(got, ":-") {
			t.Errorf("the stream lives for ever (PTTL %s)", got)
		}
	}
}
