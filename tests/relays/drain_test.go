package relays

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"relay/retry"
	"relay/tests/redistest"
	"relay/tests/relaytest"
)

// service sends connections to one of its relays, as a Kubernetes Service does.
type service struct {
	mu     sync.Mutex
	relays []*relaytest.Relay
}

func (s *service) add(r *relaytest.Relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relays = append(s.relays, r)
}

func (s *service) remove(r *relaytest.Relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relays = slices.DeleteFunc(s.relays, func(other *relaytest.Relay) bool { return other == r })
}

func (s *service) pick() *relaytest.Relay {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relays[rand.IntN(len(s.relays))]
}

// traveller follows a channel through the service until it has seen the last
// event, and remembers where it has been.
type traveller struct {
	service *service
	token   string
	last    int

	mu     sync.Mutex
	dialed *relaytest.Relay   // of the newest connection
	stays  []*relaytest.Relay // that have taken it, in order
	seen   []string
	wrong  []string
}

// client makes connections through the service; one at a time.
func (v *traveller) client() *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		r := v.service.pick()
		v.mu.Lock()
		v.dialed = r
		v.mu.Unlock()
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(r.PublicURL, "http://"))
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, MaxConnsPerHost: 1}}
}

// arrive notes that the relay dialed last has taken the client.
func (v *traveller) arrive() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.stays) == 0 || v.stays[len(v.stays)-1] != v.dialed {
		v.stays = append(v.stays, v.dialed)
	}
}

func (v *traveller) take(f relaytest.Frame) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch f.Type {
	case "event":
		v.seen = append(v.seen, string(f.Data))
	case "reset", "error":
		v.wrong = append(v.wrong, string(f.Text))
	}
}

func (v *traveller) done() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.seen) >= v.last
}

// pause is a moment before the next attempt.
func pause(ctx context.Context) { retry.Sleep(ctx, rand.N(20*time.Millisecond)) }

// byWebSocket shows its token once and its tickets from then on.
func (v *traveller) byWebSocket(ctx context.Context) {
	since, key := "start", "token="+v.token
	client := v.client()
	for !v.done() && ctx.Err() == nil {
		ws, _, err := websocket.Dial(ctx, "ws://relay.service/v1/ws?channel=a&since="+since+"&"+key, &websocket.DialOptions{HTTPClient: client})
		if err != nil {
			pause(ctx)
			continue
		}
		for !v.done() {
			_, text, err := ws.Read(ctx)
			if err != nil {
				break
			}
			f := relaytest.Frame{Text: text}
			if err := json.Unmarshal(text, &f); err != nil {
				v.wrong = append(v.wrong, err.Error())
			}
			if f.ID != "" {
				since = f.ID
			}
			switch f.Type {
			case "welcome":
				v.arrive()
			case "goodbye":
				key = "ticket=" + f.Ticket
			}
			v.take(f)
		}
		_ = ws.CloseNow()
	}
}

func (v *traveller) byEventStream(ctx context.Context) {
	since := "start"
	client := v.client()
	for !v.done() && ctx.Err() == nil {
		s, err := relaytest.OpenEventStream(ctx, client, "http://relay.service/v1/sse?channel=a&token="+v.token, "Last-Event-ID: "+since)
		if err != nil {
			pause(ctx)
			continue
		}
		for !v.done() {
			f, err := s.Read(ctx)
			if err != nil {
				break
			}
			if f.SSEID != "" {
				since = f.SSEID
			}
			if f.Type == "welcome" {
				v.arrive()
			}
			v.take(f)
		}
		s.Close()
	}
}

// byPolling keeps its connection as long as it may.
func (v *traveller) byPolling(ctx context.Context) {
	since := "start"
	client := v.client()
	for !v.done() && ctx.Err() == nil {
		p, ok := v.poll(ctx, client, since)
		if !ok {
			pause(ctx)
			continue
		}
		v.arrive()
		since = p.Cursor
		for _, f := range p.Frames {
			v.take(f)
		}
	}
}

func (v *traveller) poll(ctx context.Context, client *http.Client, since string) (p pollAnswer, ok bool) {
	request, err := http.NewRequestWithContext(ctx, "GET",
		"http://relay.service/v1/poll?channel=a&wait=5s&since="+url.QueryEscape(since)+"&token="+v.token, nil)
	if err != nil {
		return p, false
	}
	answer, err := client.Do(request)
	if err != nil {
		return p, false
	}
	defer answer.Body.Close()
	ok = json.NewDecoder(answer.Body).Decode(&p) == nil && answer.StatusCode == http.StatusOK
	return p, ok
}

// A rolling restart as Kubernetes does it, of three relays with clients on all
// transports: nobody is moved twice, nobody misses an event, and each relay
// takes events until it is stopped.
func TestRollingRestart(t *testing.T) {
	redis := redistest.Start(t)
	launch := func(generation string) *relaytest.Relay {
		r := relaytest.Start(t, "RELAY_REDIS_URL="+redis.URL(), "RELAY_GENERATION="+generation, "RELAY_JWT_SECRET="+secret,
			"RELAY_SECRET=the relays' own "+secret, "RELAY_DRAIN_DELAY=500ms", "RELAY_DRAIN_WINDOW=2s", "RELAY_GRACE_PERIOD=10m", "RELAY_HISTORY_SIZE=100000")
		awaitReady(t, r)
		return r
	}
	s := &service{}
	var old []*relaytest.Relay
	for range 3 {
		r := launch("one")
		old = append(old, r)
		s.add(r)
	}

	const eachWay, last = 6, 600
	ctx, cancel := context.WithTimeout(t.Context(), 3*relaytest.Patience)
	defer cancel()
	var travellers []*traveller
	var travelling sync.WaitGroup
	for i := range eachWay {
		token := sign(t, fmt.Sprintf(`{"sub":"user-%d","exp":9999999999,"subscribe":["a"]}`, i))
		for _, follow := range []func(*traveller, context.Context){
			(*traveller).byWebSocket, (*traveller).byEventStream, (*traveller).byPolling,
		} {
			v := &traveller{service: s, token: token, last: last}
			travellers = append(travellers, v)
			travelling.Go(func() { follow(v, ctx) })
		}
	}
	relaytest.Eventually(t, "all clients to have arrived", func() bool {
		return !slices.ContainsFunc(travellers, func(v *traveller) bool {
			v.mu.Lock()
			defer v.mu.Unlock()
			return len(v.stays) == 0
		})
	})

	// Each relay takes its share of the events, until it is stopped.
	publishers := &service{relays: slices.Clone(old)}
	var publishing sync.Mutex
	n := 0
	publish := func(upTo int) bool {
		publishing.Lock()
		defer publishing.Unlock()
		if n >= upTo {
			return false
		}
		n++
		if err := tryPublish(publishers.pick(), number("a", n)); err != nil {
			t.Error(err)
		}
		return true
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for publish(last - 50) {
			pause(ctx)
		}
	}()

	var leaving sync.WaitGroup
	for _, r := range old {
		young := launch("two")
		s.add(young)
		publishers.add(young)
		s.remove(r)
		leaving.Go(func() {
			// The preStop hook, then the signal.
			code, output := relaytest.Command(t, []string{"RELAY_API_ADDR=" + strings.TrimPrefix(r.APIURL, "http://")}, "drain")
			if code != 0 || !strings.Contains(output, "relay drain: ") {
				t.Errorf("relay drain: exit code %d: %s", code, output)
			}
			if d, err := askDrain(r); err != nil || d.State != "drained" || d.Connections != 0 {
				t.Errorf("after relay drain: %+v, %v", d, err)
			}
			if err := tryPublish(r, `{"channel":"other","event":"n","data":1}`); err != nil {
				t.Error(err)
			}
			publishing.Lock()
			publishers.remove(r)
			publishing.Unlock()
			r.Signal(syscall.SIGTERM)
		})
	}
	leaving.Wait()
	for _, r := range old {
		if code := r.Wait(); code != 0 {
			t.Errorf("exit code %d\n%s", code, r.Log())
		}
	}
	<-over
	for publish(last) { // to the new relays
	}
	travelling.Wait()
	for i, v := range travellers {
		if !slices.Equal(v.seen, upTo(1, last)) || len(v.wrong) > 0 {
			t.Errorf("client %d saw %d events, and %v", i, len(v.seen), v.wrong)
		}
		if len(v.stays) != 2 || slices.Contains(old, v.stays[1]) {
			t.Errorf("client %d was at %d relays one after the other", i, len(v.stays))
		}
	}
}

type drainState struct {
	State       string
	Connections int
	Deadline    time.Time
}

func askDrain(r *relaytest.Relay) (d drainState, err error) {
	a, err := relaytest.TryDo("GET", r.APIURL+"/v1/drain", "")
	if err == nil {
		err = json.Unmarshal([]byte(a.Body), &d)
	}
	return d, err
}

func drainStatus(t *testing.T, r *relaytest.Relay) drainState {
	t.Helper()
	d, err := askDrain(r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// tryPublish is Publish for goroutines that must not end the test.
func tryPublish(r *relaytest.Relay, body string) error {
	a, err := relaytest.TryDo("POST", r.APIURL+"/v1/events", body)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("publish: %d %s", a.Status, a.Body)
	}
	return err
}

func askToLeave(t *testing.T, r *relaytest.Relay) {
	t.Helper()
	if a := relaytest.Do(t, "POST", r.APIURL+"/v1/drain", ""); a.Status != http.StatusAccepted {
		t.Fatalf("POST /v1/drain: %d %s", a.Status, a.Body)
	}
}

// While it waits, a relay is not ready, and takes clients all the same.
func TestDrainWaits(t *testing.T) {
	r := relaytest.Start(t, "RELAY_DRAIN_DELAY=10m")
	askToLeave(t, r)
	if a := relaytest.Do(t, "GET", r.OpsURL+"/readyz", ""); a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, `"draining"`) {
		t.Errorf("readiness: %d %s", a.Status, a.Body)
	}
	for _, s := range []relaytest.Stream{r.WebSocket(t, "channel=a"), r.EventStream(t, "channel=a")} {
		relaytest.Welcome(t, s, 1)
		r.Publish(t, number("a", 1))
		relaytest.Expect(t, s, "event")
	}
	if d := drainStatus(t, r); d.State != "waiting" || d.Connections != 2 || time.Until(d.Deadline) < 5*time.Minute {
		t.Errorf("%+v", d)
	}
}

// A signal does not cut the plan short.
func TestSignalAfterDrain(t *testing.T) {
	r := relaytest.Start(t, "RELAY_DRAIN_DELAY=1s", "RELAY_DRAIN_WINDOW=1s")
	ws := r.WebSocket(t, "channel=a")
	relaytest.Welcome(t, ws, 1)
	begin := time.Now()
	askToLeave(t, r)
	r.Signal(syscall.SIGTERM)
	if f := relaytest.Expect(t, ws, "goodbye"); f.Reason != "draining" || f.ReconnectIn <= 0 || f.Ticket != "" {
		t.Errorf("%+v", f)
	}
	if waited := time.Since(begin); waited < time.Second {
		t.Errorf("released after %v, and the delay is 1 s", waited)
	}
	if code, _ := ws.Closed(t); code != 1001 {
		t.Errorf("closed with %d", code)
	}
	if code := r.Wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.Log())
	}
}

// A relay that holds its clients takes no streams; polls it answers.
func TestDrainHolds(t *testing.T) {
	redis := redistest.Start(t)
	env := []string{"RELAY_REDIS_URL=" + redis.URL(), "RELAY_DRAIN_DELAY=0s", "RELAY_DRAIN_WINDOW=1s", "RELAY_GRACE_PERIOD=10m"}
	launch := func(generation string) *relaytest.Relay {
		r := relaytest.Start(t, append(env, "RELAY_GENERATION="+generation)...)
		awaitReady(t, r)
		return r
	}
	first, second, young := launch("one"), launch("one"), launch("two")
	ws := first.WebSocket(t, "channel=a")
	relaytest.Welcome(t, ws, 1)
	askToLeave(t, first)
	relaytest.Eventually(t, "the relay to hold", func() bool { return drainStatus(t, first).State == "holding" })
	if _, a, err := first.TryWebSocket("channel=a"); err == nil || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("a WebSocket: %v, %+v", err, a)
	}
	if f := relaytest.Expect(t, first.EventStream(t, "channel=a"), "goodbye"); f.Reason != "draining" {
		t.Errorf("a stream: %+v", f)
	}
	if p := ask4(t, first, "channel=a"); p.Cursor == "" {
		t.Errorf("a poll: %+v", p)
	}
	young.Publish(t, number("a", 1))
	relaytest.Expect(t, ws, "event")
	// The last of the old ones dies, and holds up nobody.
	second.Kill()
	relaytest.Expect(t, ws, "goodbye")
	relaytest.Eventually(t, "the relay to be drained", func() bool { return drainStatus(t, first).State == "drained" })
	a := relaytest.Do(t, "GET", first.PublicURL+"/v1/poll?channel=a", "")
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("a poll in the end: %d %s", a.Status, a.Body)
	}
}

// A poll under way is answered when its turn comes, with its cursor, and over
// a connection that ends.
func TestDrainAnswersPolls(t *testing.T) {
	r := relaytest.Start(t, "RELAY_DRAIN_DELAY=0s", "RELAY_DRAIN_WINDOW=500ms")
	cursor := ask4(t, r, "channel=a").Cursor
	answer := make(chan relaytest.Answer, 1)
	go func() {
		a, err := relaytest.TryDo("GET", r.PublicURL+"/v1/poll?channel=a&wait=55s&since="+cursor, "")
		if err != nil {
			t.Error(err)
		}
		answer <- a
	}()
	relaytest.Eventually(t, "the poll to wait", func() bool { return drainStatus(t, r).Connections == 1 })
	askToLeave(t, r)
	a := <-answer
	var p pollAnswer
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil || a.Status != http.StatusOK || p.Cursor != cursor {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if n := len(p.Frames); n == 0 || p.Frames[n-1].Type != "goodbye" || p.Frames[n-1].Reason != "draining" {
		t.Errorf("the answer's frames: %+v", p.Frames)
	}
	if !a.Closed {
		t.Error("the connection goes on, and the next poll would come here again")
	}
}

// A ticket is good on another relay, and no secret of the relays' stands in a log.
func TestTicket(t *testing.T) {
	relays, _ := onOneRedis(t, 2, "RELAY_JWT_SECRET="+secret, "RELAY_SECRET=the relays' own "+secret, "RELAY_DRAIN_DELAY=0s", "RELAY_DRAIN_WINDOW=1s")
	ws := relays[0].WebSocket(t, "channel=room.1&token="+sign(t, `{"sub":"ana","exp":9999999999,"subscribe":["room.*"]}`))
	relaytest.Welcome(t, ws, 1)
	askToLeave(t, relays[0])
	ticket := relaytest.Expect(t, ws, "goodbye").Ticket
	if ticket == "" {
		t.Fatal("the goodbye has no ticket")
	}
	ws.Closed(t)
	relaytest.Eventually(t, "the first relay to be drained", func() bool { return drainStatus(t, relays[0]).State == "drained" })
	again := relays[1].WebSocket(t, "channel=room.1&channel=hall&ticket="+ticket)
	relaytest.Expect(t, again, "welcome")
	if f := relaytest.Expect(t, again, "error"); f.Code != "forbidden" || f.Channel != "hall" {
		t.Errorf("%+v", f)
	}
	relaytest.Expect(t, again, "subscribed")
	if n := relaytest.Do(t, "POST", relays[1].APIURL+"/v1/disconnect", `{"user":"ana"}`); !strings.Contains(n.Body, `"connections":1`) {
		t.Errorf("ana is not at home: %s", n.Body)
	}
	bad := relays[1].WebSocket(t, "channel=room.1&ticket="+ticket+"x")
	if f := relaytest.Expect(t, bad, "error"); f.Code != "token_invalid" {
		t.Errorf("%+v", f)
	}
	if code, _ := bad.Closed(t); code != 4401 {
		t.Errorf("closed with %d", code)
	}
	for _, r := range relays {
		if strings.Contains(r.Log(), ticket) {
			t.Error("a ticket stands in the log")
		}
	}
}

// Without RELAY_SECRET the relays share one of their own, soon after they have
// met in Redis.
func TestRelaysShareASecret(t *testing.T) {
	relays, _ := onOneRedis(t, 2, "RELAY_JWT_SECRET="+secret, "RELAY_MAX_CONNECTION_AGE=100ms")
	token := sign(t, `{"sub":"ana","exp":9999999999,"subscribe":["a"]}`)
	relaytest.Eventually(t, "a ticket of one to be good on the other", func() bool {
		ws := relays[0].WebSocket(t, "channel=a&token="+token)
		for f := relaytest.Next(t, ws); ; f = relaytest.Next(t, ws) {
			if f.Type == "goodbye" {
				again := relays[1].WebSocket(t, "channel=a&ticket="+f.Ticket)
				return f.Ticket != "" && relaytest.Next(t, again).Type == "welcome"
			}
		}
	})
}

func TestMaxConnectionAge(t *testing.T) {
	r := relaytest.Start(t, "RELAY_MAX_CONNECTION_AGE=500ms", "RELAY_JWT_SECRET="+secret)
	ws := r.WebSocket(t, "channel=a&token="+sign(t, `{"sub":"ana","exp":9999999999,"subscribe":["a"]}`))
	relaytest.Welcome(t, ws, 1)
	f := relaytest.Expect(t, ws, "goodbye")
	if f.Reason != "max_age" || f.ReconnectIn <= 0 || f.Ticket == "" {
		t.Errorf("%+v", f)
	}
	if code, reason := ws.Closed(t); code != 1001 || reason != "max_age" {
		t.Errorf("closed with %d %q", code, reason)
	}
	relaytest.Welcome(t, r.WebSocket(t, "channel=a&ticket="+f.Ticket), 1)
}
