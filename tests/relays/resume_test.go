package relays

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"relay/tests/contract"
	"relay/tests/relaytest"
)

// numbers reads events until it has n and returns their data.
func numbers(t *testing.T, s relaytest.Stream, n int) []string {
	t.Helper()
	var list []string
	for len(list) < n {
		list = append(list, string(relaytest.Expect(t, s, "event").Data))
	}
	return list
}

func upTo(from, to int) []string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, strconv.Itoa(n))
	}
	return list
}

// Whatever instance a client comes back to, it goes on where it was.
func TestResumeOnAnotherRelay(t *testing.T) {
	relays, _ := onOneRedis(t, 2)
	var ids []string
	for n := 1; n <= 100; n++ {
		ids = append(ids, relays[n%2].Publish(t, number("a", n))...)
	}
	relays[0].Publish(t, number("b", 1))

	c := relays[1].WebSocket(t, "channel=a&since="+ids[39])
	relaytest.Expect(t, c, "welcome")
	if f := relaytest.Expect(t, c, "subscribed"); f.ID != ids[39] || f.Recovered == nil || !*f.Recovered {
		t.Errorf("%+v", f)
	}
	if got := numbers(t, c, 60); !slices.Equal(got, upTo(41, 100)) {
		t.Errorf("got %v", got)
	}
	c.Send(t, `{"type":"subscribe","channel":"b","since":"start"}`)
	if f := relaytest.Expect(t, c, "subscribed"); f.Recovered != nil {
		t.Errorf("since=start: %+v", f)
	}
	numbers(t, c, 1)

	s := relays[1].EventStream(t, "channel=a", "Last-Event-ID: "+ids[98])
	relaytest.Expect(t, s, "welcome")
	relaytest.Expect(t, s, "subscribed")
	if f := relaytest.Expect(t, s, "event"); string(f.Data) != "100" || f.SSEID != ids[99] {
		t.Errorf("%+v %s", f, f.Data)
	}

	// The header beats the query, which a browser repeats.
	s = relays[0].EventStream(t, "channel=a&since=start", "Last-Event-ID: "+ids[99])
	relaytest.Expect(t, s, "welcome")
	if f := relaytest.Expect(t, s, "subscribed"); f.Recovered == nil || !*f.Recovered || f.ID != ids[99] {
		t.Errorf("%+v", f)
	}
	relays[1].Publish(t, number("a", 101))
	if got := numbers(t, s, 1); got[0] != "101" {
		t.Errorf("got %v", got)
	}
}

// One cursor over several channels is exact for each of them.
func TestCursorOverSeveralChannels(t *testing.T) {
	relays, _ := onOneRedis(t, 2)
	query := "channel=a&channel=b&channel=c"
	s := relays[0].EventStream(t, query)
	relaytest.Welcome(t, s, 3)
	cursor := ""
	for n := range 10 {
		relays[0].Publish(t, number([]string{"a", "b"}[n%2], n))
		cursor = relaytest.Expect(t, s, "event").SSEID
	}
	for n := 10; n < 20; n++ {
		relays[1].Publish(t, number([]string{"a", "b", "c"}[n%3], n))
	}
	again := relays[1].EventStream(t, "channel=d&channel=c&"+query, "Last-Event-ID: "+cursor)
	relaytest.Expect(t, again, "welcome")
	seen := map[string][]string{}
	recovered := 0
	for total := 0; total < 10; {
		switch f := relaytest.Next(t, again); f.Type {
		case "event":
			seen[f.Channel] = append(seen[f.Channel], string(f.Data))
			total++
		case "subscribed":
			if f.Recovered != nil && *f.Recovered {
				recovered++
			} else if f.Channel != "d" {
				t.Errorf("%+v", f)
			}
		default:
			t.Errorf("%+v", f)
		}
	}
	if recovered != 3 {
		t.Errorf("%d channels recovered, want 3", recovered)
	}
	for channel, want := range map[string][]string{"a": {"12", "15", "18"}, "b": {"10", "13", "16", "19"}, "c": {"11", "14", "17"}} {
		if !slices.Equal(seen[channel], want) {
			t.Errorf("%s: %v, want %v", channel, seen[channel], want)
		}
	}
}

func TestResets(t *testing.T) {
	relays, redis := onOneRedis(t, 2, "RELAY_HISTORY_SIZE=10")
	first := relays[0].Publish(t, number("a", 0))[0]
	var last string
	for n := 1; n <= 400; n++ {
		last = relays[0].Publish(t, number("a", n))[0]
	}
	for since, want := range map[string]string{
		first: "trimmed", last[:len(last)-6] + "zzzzzz": "diverged", "nonsense": "unknown", strings.Repeat("x", 5000): "",
	} {
		s := relays[1].EventStream(t, "channel=a&since="+url.QueryEscape(since))
		if want == "" {
			continue // too long: whatever is said, the relay lives
		}
		relaytest.Expect(t, s, "welcome")
		sub := relaytest.Expect(t, s, "subscribed")
		if sub.Recovered == nil || *sub.Recovered || sub.ID != last {
			t.Errorf("%.40s: %+v", since, sub)
		}
		if f := relaytest.Expect(t, s, "reset"); f.Reason != want || f.ID != last || f.SSEID != last {
			t.Errorf("%.40s: %+v", since, f)
		}
	}
	// A channel whose stream expired while it was quiet has lost nothing.
	redis.Do("DEL", "relay:a")
	s := relays[1].EventStream(t, "channel=a&since="+last)
	relaytest.Expect(t, s, "welcome")
	if f := relaytest.Expect(t, s, "subscribed"); f.Recovered == nil || !*f.Recovered {
		t.Errorf("a quiet channel: %+v", f)
	}
}

// Clients come back from a drained relay to another and miss nothing, while
// events flow.
func TestDeployLosesNothing(t *testing.T) {
	relays, redis := onOneRedis(t, 2)
	env := "RELAY_REDIS_URL=" + redis.URL()
	const last = 400
	done := make(chan []string, 8)
	current := make(chan *relaytest.Relay, 1)
	current <- relays[0]
	for i := range 8 {
		go func() {
			var seen []string
			since := "start"
			for len(seen) < last {
				r := <-current
				current <- r
				var s relaytest.Stream
				if i%2 == 0 {
					ws, _, err := r.TryWebSocket("channel=a&since=" + since)
					if err != nil {
						continue
					}
					s = ws
				} else {
					es, err := r.TryEventStream("channel=a", "Last-Event-ID: "+since)
					if err != nil {
						continue
					}
					s = es
				}
				for len(seen) < last {
					f, err := relaytest.TryNext(s)
					if err != nil {
						break
					}
					if f.Type == "event" {
						seen = append(seen, string(f.Data))
					}
					if f.ID != "" {
						since = f.ID
					}
					if f.Type == "reset" {
						seen = append(seen, "reset")
					}
				}
			}
			done <- seen
		}()
	}
	for n := 1; n <= last; n++ {
		relays[1].Publish(t, number("a", n))
		if n%100 == 50 {
			old := <-current
			next := relaytest.Start(t, env)
			awaitReady(t, next)
			current <- next
			old.Signal(syscall.SIGTERM)
		}
	}
	for range 8 {
		if seen := <-done; !slices.Equal(seen, upTo(1, last)) {
			t.Errorf("a client saw %v", seen)
		}
	}
}

type pollAnswer struct {
	Frames []relaytest.Frame
	Cursor string
}

func ask4(t *testing.T, r *relaytest.Relay, query string) pollAnswer {
	t.Helper()
	a := relaytest.Do(t, "GET", r.PublicURL+"/v1/poll?"+query, "")
	var p pollAnswer
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil || a.Status != http.StatusOK {
		t.Fatalf("poll %s: %d %s", query, a.Status, a.Body)
	}
	var raw struct{ Frames []json.RawMessage }
	if err := json.Unmarshal([]byte(a.Body), &raw); err != nil {
		t.Fatal(err)
	}
	for _, f := range raw.Frames {
		contract.CheckFrame(t, "ServerFrame", f)
	}
	return p
}

func (p pollAnswer) events() []string {
	var list []string
	for _, f := range p.Frames {
		if f.Type == "event" {
			list = append(list, f.Channel+string(f.Data))
		}
	}
	return list
}

func TestPoll(t *testing.T) {
	relays, _ := onOneRedis(t, 2)
	p := ask4(t, relays[0], "channel=a&channel=b")
	if len(p.events()) != 0 || p.Cursor == "" {
		t.Fatalf("the first poll: %+v", p)
	}
	relays[1].Publish(t, number("a", 1))
	relays[1].Publish(t, number("b", 2))
	p = ask4(t, relays[1], "channel=a&channel=b&since="+p.Cursor)
	seen := p.events()
	for len(seen) < 2 {
		p = ask4(t, relays[0], "channel=a&channel=b&since="+p.Cursor)
		seen = append(seen, p.events()...)
	}
	slices.Sort(seen)
	if !slices.Equal(seen, []string{"a1", "b2"}) {
		t.Errorf("saw %v", seen)
	}

	// A short poll with nothing to tell answers at once; a long one waits.
	if q := ask4(t, relays[0], "channel=a&channel=b&wait=0s&since="+p.Cursor); len(q.events()) != 0 || q.Cursor != p.Cursor {
		t.Errorf("nothing has come: %+v, the cursor was %s", q, p.Cursor)
	}
	answer := make(chan pollAnswer, 1)
	go func() { answer <- ask4(t, relays[0], "channel=a&channel=b&wait=50s&since="+p.Cursor) }()
	relaytest.Eventually(t, "the poll to wait", func() bool {
		return strings.Contains(relaytest.Do(t, "GET", relays[0].OpsURL+"/metrics", "").Body, `relay_connections{transport="poll"} 1`)
	})
	begin := time.Now()
	relays[1].Publish(t, number("b", 3))
	p = <-answer
	if took := time.Since(begin); !slices.Equal(p.events(), []string{"b3"}) || took > 30*time.Second {
		t.Errorf("after %v: %+v", took, p)
	}

	if p := ask4(t, relays[0], "channel=a&since=nonsense"); len(p.Frames) != 2 || p.Frames[1].Type != "reset" || p.Frames[1].Reason != "unknown" {
		t.Errorf("a broken cursor: %+v", p)
	}
}

// More history than fits one answer comes in several, each complete.
func TestPollInParts(t *testing.T) {
	r := relaytest.Start(t)
	pad := strings.Repeat("x", 8000)
	var body strings.Builder
	for n := range 200 {
		fmt.Fprintf(&body, `,{"channel":"a","event":"n","data":"%d %s"}`, n, pad)
	}
	r.Publish(t, "["+body.String()[1:]+"]")
	seen, polls := 0, 0
	for since := "start"; seen < 200; polls++ {
		p := ask4(t, r, "channel=a&wait=0s&since="+since)
		for _, f := range p.Frames {
			if f.Type != "event" {
				continue
			}
			if !strings.HasPrefix(string(f.Data), fmt.Sprintf(`"%d `, seen)) {
				t.Fatalf("event %d is %.20s", seen, f.Data)
			}
			seen++
		}
		since = p.Cursor
		if polls > 100 {
			t.Fatal("no end")
		}
	}
	if polls < 4 {
		t.Errorf("1.6 MB came in %d answers", polls)
	}
}
