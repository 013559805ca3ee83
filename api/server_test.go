package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"relay"
	"relay/api"
	"relay/bus"
	"relay/event"
	"relay/hub"
	"relay/problem"
	"relay/tests/contract"
)

// recorder is a bus that keeps what is published and answers what it is told to.
type recorder struct {
	bus.Bus // what is not overridden must not be called

	mu      sync.Mutex
	batches [][]bus.Publication // without the times of posting
	posted  []time.Time
	answer  func(ctx context.Context, i int, p bus.Publication) bus.Receipt // nil: published
	resume  error
}

var firstPosition = event.Position{Time: 1795334400123, Offset: 1, Tag: event.Tag([]byte("Xk3vQ9"))}

func (b *recorder) Publish(ctx context.Context, batch []bus.Publication) []bus.Receipt {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch = slices.Clone(batch)
	for i := range batch {
		b.posted = append(b.posted, batch[i].Posted)
		batch[i].Posted = time.Time{}
	}
	b.batches = append(b.batches, batch)
	receipts := make([]bus.Receipt, len(batch))
	for i, p := range batch {
		if b.answer != nil {
			receipts[i] = b.answer(ctx, i, p)
		} else if !p.Transient {
			receipts[i].ID = firstPosition
		}
	}
	return receipts
}

func (b *recorder) Resume(context.Context, string, bus.From, int) (bus.Page, error) {
	return bus.Page{Head: firstPosition}, b.resume
}

func (b *recorder) Delete(context.Context, string) error { return b.resume }

// published returns all that was published, and fails if a batch was empty.
func (b *recorder) published(t *testing.T) (all []bus.Publication) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, batch := range b.batches {
		if len(batch) == 0 {
			t.Error("an empty batch was published")
		}
		all = append(all, batch...)
	}
	return all
}

// rooms answers as it is told to and keeps what it was asked.
type rooms struct {
	census hub.Census
	done   hub.Disconnected
	err    error

	channel string
	who     hub.Target
	reason  string
}

func (r *rooms) Census(_ context.Context, channel string) (hub.Census, error) {
	r.channel = channel
	return r.census, r.err
}

func (r *rooms) Disconnect(_ context.Context, who hub.Target, reason string) (hub.Disconnected, error) {
	r.who, r.reason = who, reason
	return r.done, r.err
}

// leaver says what it is told to, and drains when asked.
type leaver struct {
	status hub.DrainStatus
	asked  int
}

func (l *leaver) Leave() {
	l.asked++
	l.status = hub.DrainStatus{State: hub.DrainWaiting, Connections: 3, Deadline: time.Date(2026, 11, 26, 10, 0, 27, 0, time.UTC)}
}

func (l *leaver) DrainStatus() hub.DrainStatus { return l.status }

// tally counts as metrics do.
type tally struct {
	mu        sync.Mutex
	published int
	outcomes  []event.Outcome
	refused   []event.Code
}

func (m *tally) Published(events int, outcome event.Outcome, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.published += events
	m.outcomes = append(m.outcomes, outcome)
}

func (m *tally) Refused(code event.Code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused = append(m.refused, code)
}

const secret = "0123456789abcdef0123456789abcdef"

// server is a running api listener, with the console's publish beside it.
type server struct {
	url     string
	client  *http.Client
	bus     *recorder
	rooms   *rooms
	leaver  *leaver
	metrics *tally
}

func serve(t *testing.T, adjust ...func(*api.Options)) *server {
	t.Helper()
	s := &server{bus: &recorder{}, rooms: &rooms{}, metrics: &tally{}, leaver: &leaver{status: hub.DrainStatus{State: hub.DrainServing, Connections: 3}}}
	options := api.Options{
		Bus: s.bus, Rooms: s.rooms, Leaver: s.leaver, Metrics: s.metrics, Loopback: true,
		Tokens:  func() []byte { return []byte(secret) },
		OpenAPI: relay.OpenAPI,
	}
	for _, f := range adjust {
		f(&options)
	}
	a := api.New(options)
	console := a.ConsolePublish()
	// No http.ServeMux: it would clean paths before the API sees them.
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/console/events" {
			console.ServeHTTP(w, r)
			return
		}
		a.ServeHTTP(w, r)
	}))
	t.Cleanup(running.Close)
	s.url, s.client = running.URL, running.Client()
	return s
}

func keys(list ...string) func(*api.Options) {
	return func(o *api.Options) { o.Keys = func() []string { return list } }
}

// call is one request; only path is required.
type call struct {
	method string // POST if there is a body, else GET
	path   string
	body   string
	host   string
	header map[string]string
}

// do sends a request and holds the answer against openapi.yaml.
func (s *server) do(t *testing.T, c call) contract.Exchange {
	t.Helper()
	method := c.method
	if method == "" {
		method = http.MethodGet
		if c.body != "" {
			method = http.MethodPost
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = c.host
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	x := contract.Exchange{Request: r, Status: answer.StatusCode, Header: answer.Header, Body: body}
	if c.body != "" {
		x.RequestBody = []byte(c.body)
	}
	contract.Check(t, x)
	checkProblem(t, x)
	return x
}

// publish posts a body to /v1/events.
func (s *server) publish(t *testing.T, body string, header ...string) contract.Exchange {
	t.Helper()
	c := call{method: http.MethodPost, path: "/v1/events", body: body, header: map[string]string{}}
	for i := 0; i+1 < len(header); i += 2 {
		c.header[header[i]] = header[i+1]
	}
	return s.do(t, c)
}

// checkProblem checks what a schema cannot say about a problem.
func checkProblem(t *testing.T, x contract.Exchange) {
	t.Helper()
	if x.Status < http.StatusMultipleChoices {
		return
	}
	p := problemOf(t, x)
	if p.Status != x.Status || p.Type != "urn:relay:problem:"+string(p.Code) || p.Title != http.StatusText(x.Status) {
		t.Errorf("status %d, but the problem is %+v", x.Status, p)
	}
	if got := x.Header.Get("Content-Type"); got != problem.ContentType {
		t.Errorf("a problem of type %q", got)
	}
	for _, detail := range append([]string{p.Detail}, details(p.Errors)...) {
		if detail == "" || !strings.HasSuffix(detail, ".") || strings.ToUpper(detail[:1]) != detail[:1] {
			t.Errorf("%s: %q is no sentence", p.Code, detail)
		}
	}
}

func details(items []problem.Item) (all []string) {
	for _, item := range items {
		all = append(all, item.Detail)
	}
	return all
}

type outcome struct {
	Channel   string
	ID        string
	Duplicate bool
	Error     *struct {
		Code   event.Code
		Detail string
	}
}

type refusal struct {
	problem.Problem
	Results []outcome `json:"results"`
}

func problemOf(t *testing.T, x contract.Exchange) refusal {
	t.Helper()
	var p refusal
	decode(t, x.Body, &p)
	return p
}

func decode(t *testing.T, body []byte, v any) {
	t.Helper()
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(v); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
}

// resultsOf returns the results of a request that must have gone well.
func resultsOf(t *testing.T, x contract.Exchange) []outcome {
	t.Helper()
	if x.Status != http.StatusOK {
		t.Fatalf("status %d\n%s", x.Status, x.Body)
	}
	var answer struct{ Results []outcome }
	decode(t, x.Body, &answer)
	return answer.Results
}

// wantRefused checks a problem's status and code.
func wantRefused(t *testing.T, x contract.Exchange, status int, code event.Code) refusal {
	t.Helper()
	if x.Status != status {
		t.Fatalf("status %d, want %d\n%s", x.Status, status, x.Body)
	}
	p := problemOf(t, x)
	if p.Code != code {
		t.Fatalf("code %q, want %q: %s", p.Code, code, p.Detail)
	}
	return p
}
