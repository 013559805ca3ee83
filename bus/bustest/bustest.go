// Package bustest is the test that every bus must pass.
package bustest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"relay/bus"
	"relay/event"
)

// Open makes a bus with nothing in it yet, for one test. Several calls within
// one test return buses that see each other's events, if the kind of bus can
// do that; else shared is false.
type Open func(tb testing.TB, keep bus.Keep) (open func() bus.Bus, shared bool)

// Keep is what most cases keep of every channel.
var Keep = keepLast(100)

func keepLast(size int) bus.Keep {
	return bus.Everywhere(bus.Retention{Size: size, TTL: time.Minute, PositionTTL: time.Hour})
}

// Run runs the contract.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"publish and hear in order", testOrder},
		{"positions chain", testChain},
		{"positions never step back", testMonotonic},
		{"transient events have no position", testTransient},
		{"no history at all", testNoHistory},
		{"idempotency keys", testKeys},
		{"resume", testResume},
		{"resume in pages", testPages},
		{"history is trimmed", testTrim},
		{"each channel its own history", testKeep},
		{"history is deleted", testDelete},
		{"heads", testHeads},
		{"channels do not mix", testChannels},
		{"odd channel names", testNames},
		{"exclude travels", testExclude},
		{"data comes as it was", testData},
		{"unlisten", testUnlisten},
		{"many publishers, one order", testConcurrent},
		{"two buses", testTwo},
		{"closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

// Ear is a receiver that keeps what it hears.
type Ear struct {
	mu        sync.Mutex
	changed   *sync.Cond
	heard     map[string][]bus.Delivery
	listening map[string]int
	failed    map[string]error
	dropped   []event.Reason
}

// NewEar makes an ear and attaches it.
func NewEar(b bus.Bus) *Ear {
	e := &Ear{
		heard:     make(map[string][]bus.Delivery),
		listening: make(map[string]int),
		failed:    make(map[string]error),
	}
	e.changed = sync.NewCond(&e.mu)
	b.Attach(e)
	return e
}

// Deliver implements bus.Receiver.
func (e *Ear) Deliver(d bus.Delivery) {
	e.note(func() { e.heard[d.Event.Channel] = append(e.heard[d.Event.Channel], d) })
}

// Listening implements bus.Receiver.
func (e *Ear) Listening(channel string) { e.note(func() { e.listening[channel]++ }) }

// ListenFailed implements bus.Receiver.
func (e *Ear) ListenFailed(channel string, err error) { e.note(func() { e.failed[channel] = err }) }

// Dropped implements bus.Receiver.
func (e *Ear) Dropped(reason event.Reason) { e.note(func() { e.dropped = append(e.dropped, reason) }) }

func (e *Ear) note(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
	e.changed.Broadcast()
}

// Await waits until ok says so, or fails after a long time.
func (e *Ear) Await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	late := false
	timer := time.AfterFunc(time.Minute, func() { e.note(func() { late = true }) })
	defer timer.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for !ok() {
		if late {
			tb.Fatalf("waited a minute for: %s", what)
		}
		e.changed.Wait()
	}
}

// Listen asks for a channel and waits for the confirmation.
func (e *Ear) Listen(tb testing.TB, b bus.Bus, channel string) {
	tb.Helper()
	before := e.Confirmations(channel)
	b.Listen(channel)
	e.Await(tb, "listening to "+channel, func() bool { return e.listening[channel] > before })
}

// Confirmations is how often the bus has said that it listens to a channel.
func (e *Ear) Confirmations(channel string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.listening[channel]
}

// AwaitConfirmations waits for the n-th time the bus says that it listens.
func (e *Ear) AwaitConfirmations(tb testing.TB, channel string, n int) {
	tb.Helper()
	e.Await(tb, fmt.Sprintf("%d confirmations of %s", n, channel), func() bool { return e.listening[channel] >= n })
}

// AwaitFailed waits until the bus has refused a channel.
func (e *Ear) AwaitFailed(tb testing.TB, channel string) error {
	tb.Helper()
	e.Await(tb, "refusal of "+channel, func() bool { return e.failed[channel] != nil })
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failed[channel]
}

// AwaitDropped waits until n messages have been dropped.
func (e *Ear) AwaitDropped(tb testing.TB, n int) []event.Reason {
	tb.Helper()
	e.Await(tb, fmt.Sprintf("%d dropped messages", n), func() bool { return len(e.dropped) >= n })
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.dropped)
}

// Heard waits for n events of a channel and returns all there are.
func (e *Ear) Heard(tb testing.TB, channel string, n int) []bus.Delivery {
	tb.Helper()
	e.Await(tb, fmt.Sprintf("%d events of %s", n, channel), func() bool { return len(e.heard[channel]) >= n })
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard[channel])
}

// Number makes a publication whose data is a number.
func Number(channel string, n int) bus.Publication {
	return bus.Publication{Channel: channel, Name: "n", Data: fmt.Appendf(nil, "%d", n)}
}

// Numbers returns the numbers in a list of deliveries.
func Numbers(tb testing.TB, list []bus.Delivery) []int {
	tb.Helper()
	numbers := make([]int, len(list))
	for i, d := range list {
		if err := json.Unmarshal(d.Event.Data, &numbers[i]); err != nil {
			tb.Fatalf("data %q: %v", d.Event.Data, err)
		}
	}
	return numbers
}

// Publish publishes and fails the test unless all is taken.
func Publish(tb testing.TB, b bus.Bus, batch ...bus.Publication) []bus.Receipt {
	tb.Helper()
	receipts := b.Publish(context.Background(), batch)
	if len(receipts) != len(batch) {
		tb.Fatalf("%d receipts for %d publications", len(receipts), len(batch))
	}
	for i, r := range receipts {
		if r.Err != nil {
			tb.Fatalf("publication %d: %v", i, r.Err)
		}
	}
	return receipts
}

// Resume resumes and fails the test on an error.
func Resume(tb testing.TB, b bus.Bus, channel string, from bus.From, limit int) bus.Page {
	tb.Helper()
	page, err := b.Resume(context.Background(), channel, from, limit)
	if err != nil {
		tb.Fatalf("resume %s: %v", channel, err)
	}
	return page
}

// AwaitHealthy waits until the bus says that it is well.
func AwaitHealthy(tb testing.TB, b bus.Bus) {
	tb.Helper()
	deadline := time.Now().Add(time.Minute)
	for b.Healthy() != nil {
		if time.Now().After(deadline) {
			tb.Fatalf("not healthy after a minute: %v", b.Healthy())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func start(t *testing.T, open Open, keep bus.Keep) (bus.Bus, *Ear) {
	t.Helper()
	next, _ := open(t, keep)
	b := next()
	ear := NewEar(b)
	AwaitHealthy(t, b)
	return b, ear
}

func upTo(from, to int) []int {
	var list []int
	for n := from; n <= to; n++ {
		list = append(list, n)
	}
	return list
}

func equal(tb testing.TB, what string, got, want []int) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func testOrder(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	for n := 1; n <= 10; n++ {
		Publish(t, b, Number("c", n))
	}
	batch := make([]bus.Publication, 0, 20)
	for n := 11; n <= 30; n++ {
		batch = append(batch, Number("c", n))
	}
	Publish(t, b, batch...)
	equal(t, "heard", Numbers(t, ear.Heard(t, "c", 30)), upTo(1, 30))
}

func testChain(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	head := Resume(t, b, "c", bus.FromNow(), 10).Head
	if head.Offset != 0 {
		t.Fatalf("a new channel's head is %v; want offset 0", head)
	}
	receipts := Publish(t, b, Number("c", 1), Number("c", 2), Number("c", 3))
	last := head
	for i, d := range ear.Heard(t, "c", 3) {
		if d.Event.ID != receipts[i].ID {
			t.Errorf("heard %v, the receipt says %v", d.Event.ID, receipts[i].ID)
		}
		if !bus.Follows(d, last) {
			t.Errorf("%v (after %v) does not follow %v", d.Event.ID, d.Previous, last)
		}
		last = d.Event.ID
	}
	if now := Resume(t, b, "c", bus.FromNow(), 10).Head; now != last {
		t.Errorf("head is %v, the last event %v", now, last)
	}
}

func testMonotonic(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	var last event.Position
	for n := range 50 {
		id := Publish(t, b, Number("c", n))[0].ID
		if id.Time < last.Time || id.Offset != last.Offset+1 {
			t.Fatalf("%v came after %v", id, last)
		}
		last = id
	}
}

func testTransient(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	quick := Number("c", 2)
	quick.Transient = true
	r := Publish(t, b, Number("c", 1), quick, Number("c", 3))
	if !r[1].ID.IsZero() || r[1].Receivers != 1 {
		t.Errorf("receipt of a transient event: %+v; want no position, one receiver", r[1])
	}
	single := quick
	single.Data = []byte("4")
	if r := Publish(t, b, single)[0]; !r.ID.IsZero() || r.Receivers != 1 {
		t.Errorf("receipt of a single transient event: %+v", r)
	}
	heard := ear.Heard(t, "c", 4)
	equal(t, "heard", Numbers(t, heard), upTo(1, 4))
	if !heard[1].Event.ID.IsZero() || !heard[3].Event.ID.IsZero() {
		t.Error("a transient event was heard with a position")
	}
	page := Resume(t, b, "c", bus.FromStart(), 10)
	equal(t, "history", Numbers(t, page.Events), []int{1, 3})
}

func testNoHistory(t *testing.T, open Open) {
	b, ear := start(t, open, keepLast(0))
	ear.Listen(t, b, "c")
	r := Publish(t, b, Number("c", 1), Number("c", 2), Number("d", 1))
	for i := range r {
		if !r[i].ID.IsZero() {
			t.Errorf("receipt %d has position %v", i, r[i].ID)
		}
	}
	equal(t, "heard", Numbers(t, ear.Heard(t, "c", 2)), upTo(1, 2))
}

func testKeys(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	keyed := func(channel string, n int, key string) bus.Publication {
		p := Number(channel, n)
		p.Key = key
		return p
	}
	first := Publish(t, b, keyed("c", 1, "k"))[0]
	again := Publish(t, b, keyed("c", 1, "k"))[0]
	if !again.Duplicate || again.ID != first.ID || first.Duplicate {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if r := b.Publish(context.Background(), []bus.Publication{keyed("c", 2, "k")})[0]; !errors.Is(r.Err, bus.ErrKeyReused) {
		t.Errorf("another event under the key: %+v", r)
	}
	if r := Publish(t, b, keyed("d", 1, "k"))[0]; r.Duplicate {
		t.Error("the key of one channel counted in another")
	}
	// Within one batch, and without history.
	r := Publish(t, b, keyed("c", 3, "x"), keyed("c", 3, "x"), keyed("c", 4, "y"))
	if r[0].Duplicate || !r[1].Duplicate || r[1].ID != r[0].ID || r[2].Duplicate {
		t.Errorf("within a batch: %+v", r)
	}
	quick := keyed("c", 5, "z")
	quick.Transient = true
	if r := Publish(t, b, quick, quick); r[0].Duplicate || !r[1].Duplicate || !r[1].ID.IsZero() {
		t.Errorf("transient: %+v", r)
	}
	equal(t, "heard", Numbers(t, ear.Heard(t, "c", 4)), []int{1, 3, 4, 5})
}

func testResume(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	before := Resume(t, b, "c", bus.FromNow(), 10).Head
	r := Publish(t, b, Number("c", 1), Number("c", 2), Number("c", 3))
	at := func(p event.Position) bus.Page { return Resume(t, b, "c", bus.FromPosition(p), 10) }

	for i, want := range [][]int{{1, 2, 3}, {2, 3}, {3}, nil} {
		from := before
		if i > 0 {
			from = r[i-1].ID
		}
		page := at(from)
		if !page.Recovered || page.Reset != "" || page.Head != r[2].ID {
			t.Errorf("from %d: %+v", i, page)
		}
		equal(t, fmt.Sprintf("from %d", i), Numbers(t, page.Events), want)
		for _, d := range page.Events {
			if !bus.Follows(d, from) {
				t.Errorf("from %d: %v does not follow %v", i, d.Event.ID, from)
			}
			from = d.Event.ID
		}
	}
	page := Resume(t, b, "c", bus.FromStart(), 10)
	equal(t, "from the start", Numbers(t, page.Events), upTo(1, 3))
	if page.Recovered {
		t.Error("recovered is set although no position was given")
	}

	forged := r[1].ID
	forged.Tag = event.NewTag()
	if page := at(forged); page.Reset != event.ResetDiverged {
		t.Errorf("a position with another tag: %+v", page)
	}
	beyond := r[2].ID
	beyond.Offset += 5
	if page := at(beyond); page.Reset != event.ResetDiverged {
		t.Errorf("a position beyond the head: %+v", page)
	}
	if page := Resume(t, b, "never", bus.FromPosition(r[0].ID), 10); page.Reset != event.ResetUnknown {
		t.Errorf("a position in a channel nobody knows: %+v", page)
	}
}

func testPages(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	at := Resume(t, b, "c", bus.FromNow(), 10).Head
	for n := 1; n <= 25; n++ {
		Publish(t, b, Number("c", n))
	}
	var got []int
	for more := true; more; {
		page := Resume(t, b, "c", bus.FromPosition(at), 10)
		if !page.Recovered || len(page.Events) > 10 || len(page.Events) == 0 {
			t.Fatalf("from %v: %+v", at, page)
		}
		got = append(got, Numbers(t, page.Events)...)
		at = page.Events[len(page.Events)-1].Event.ID
		more = page.More
	}
	equal(t, "all pages", got, upTo(1, 25))
	page := Resume(t, b, "c", bus.FromStart(), 25)
	if len(page.Events) != 25 || page.More {
		t.Errorf("a page of just the right size: %d events, more %v", len(page.Events), page.More)
	}
}

func testTrim(t *testing.T, open Open) {
	b, _ := start(t, open, keepLast(10))
	first := Publish(t, b, Number("c", 0))[0].ID
	// Redis trims in blocks of 100 entries; 1000 is far beyond any slack.
	var batch []bus.Publication
	for n := 1; n <= 1000; n++ {
		batch = append(batch, Number("c", n))
	}
	r := Publish(t, b, batch...)
	if page := Resume(t, b, "c", bus.FromPosition(first), 10); page.Reset != event.ResetTrimmed {
		t.Errorf("from an event long trimmed: %+v", page)
	}
	page := Resume(t, b, "c", bus.FromPosition(r[989].ID), 20)
	equal(t, "the last ten", Numbers(t, page.Events), upTo(991, 1000))
	oldest := Resume(t, b, "c", bus.FromStart(), 2000).Events
	if len(oldest) < 10 || len(oldest) > 250 {
		t.Errorf("history of size 10 holds %d events", len(oldest))
	}
	// The cursor's own entry is gone, the one after it is not.
	justBefore := r[oldest[0].Event.ID.Offset-3].ID
	page = Resume(t, b, "c", bus.FromPosition(justBefore), 2000)
	if !page.Recovered || len(page.Events) != len(oldest) {
		t.Errorf("from just before the oldest: reset %q, %d events, want %d", page.Reset, len(page.Events), len(oldest))
	}
}

func testChannels(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	for _, c := range []string{"a", "b"} {
		ear.Listen(t, b, c)
	}
	Publish(t, b, Number("a", 1), Number("b", 1), Number("a", 2), Number("nobody", 1), Number("b", 2))
	equal(t, "a", Numbers(t, ear.Heard(t, "a", 2)), upTo(1, 2))
	equal(t, "b", Numbers(t, ear.Heard(t, "b", 2)), upTo(1, 2))
	ear.mu.Lock()
	defer ear.mu.Unlock()
	if len(ear.heard["nobody"]) > 0 {
		t.Error("heard a channel that was not asked for")
	}
}

func testNames(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	for _, c := range []string{"Räume/für alle", "a:b:c", "a?b[c]", "日本語", `quo"te\`, "h", "k:x"} {
		ear.Listen(t, b, c)
		id := Publish(t, b, Number(c, 7))[0].ID
		if d := ear.Heard(t, c, 1)[0]; d.Event.ID != id || d.Event.Channel != c {
			t.Errorf("%q: heard %+v", c, d.Event)
		}
	}
}

func testExclude(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	p := Number("c", 1)
	p.Exclude = []string{"one", "two"}
	Publish(t, b, p)
	if d := ear.Heard(t, "c", 1)[0]; !slices.Equal(d.Event.Exclude, p.Exclude) {
		t.Errorf("heard with exclude %v", d.Event.Exclude)
	}
	if page := Resume(t, b, "c", bus.FromStart(), 1); !slices.Equal(page.Events[0].Event.Exclude, p.Exclude) {
		t.Errorf("in history with exclude %v", page.Events[0].Event.Exclude)
	}
}

func testData(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	texts := []string{
		`null`, `""`, `0.1e-7`, `12345678901234567890`, `{"b":1,"a":[{},[]]}`, `"<>&\u0000 \\ \" é 😀"`, `"a b c"`,
	}
	for i, text := range texts {
		Publish(t, b, bus.Publication{Channel: "c", Name: "é \"x\"", Data: []byte(text)})
		d := ear.Heard(t, "c", i+1)[i]
		var got, want any
		if err := json.Unmarshal(d.Event.Data, &got); err != nil {
			t.Fatalf("%s came as %s: %v", text, d.Event.Data, err)
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || d.Event.Name != "é \"x\"" {
			t.Errorf("%s came as %q %s", text, d.Event.Name, d.Event.Data)
		}
	}
	// Numbers keep their digits: an ID of 20 digits must not become a float.
	if d := ear.Heard(t, "c", 4)[3]; string(d.Event.Data) != texts[3] {
		t.Errorf("%s came as %s", texts[3], d.Event.Data)
	}
}

func testUnlisten(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	Publish(t, b, Number("c", 1))
	ear.Heard(t, "c", 1)
	b.Unlisten("c")
	// A channel listened to afterwards shows that the wish has arrived.
	ear.Listen(t, b, "d")
	Publish(t, b, Number("c", 2), Number("d", 1))
	ear.Heard(t, "d", 1)
	equal(t, "heard", Numbers(t, ear.Heard(t, "c", 1)), []int{1})
	ear.Listen(t, b, "c")
	Publish(t, b, Number("c", 3))
	equal(t, "heard after listening again", Numbers(t, ear.Heard(t, "c", 2)), []int{1, 3})
}

func testConcurrent(t *testing.T, open Open) {
	next, shared := open(t, keepLast(1000))
	buses := []bus.Bus{next()}
	if shared {
		buses = append(buses, next())
	}
	ears := make([]*Ear, len(buses))
	for i, b := range buses {
		ears[i] = NewEar(b)
		AwaitHealthy(t, b)
		ears[i].Listen(t, b, "c")
	}
	const publishers, each = 8, 50
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for n := range each {
				Publish(t, buses[p%len(buses)], Number("c", p*each+n))
			}
		})
	}
	wg.Wait()
	order := Numbers(t, ears[0].Heard(t, "c", publishers*each))
	for i, ear := range ears {
		heard := ear.Heard(t, "c", publishers*each)
		equal(t, fmt.Sprintf("bus %d", i), Numbers(t, heard), order)
		for n := 1; n < len(heard); n++ {
			if !bus.Follows(heard[n], heard[n-1].Event.ID) {
				t.Fatalf("bus %d: %v does not follow %v", i, heard[n].Event.ID, heard[n-1].Event.ID)
			}
		}
	}
	sorted := slices.Clone(order)
	slices.Sort(sorted)
	equal(t, "each once", sorted, upTo(0, publishers*each-1))
}

func testTwo(t *testing.T, open Open) {
	next, shared := open(t, Keep)
	if !shared {
		// Two in-process buses are two worlds; that too is a promise.
		a, b := next(), next()
		earA, earB := NewEar(a), NewEar(b)
		earA.Listen(t, a, "c")
		earB.Listen(t, b, "c")
		Publish(t, a, Number("c", 1))
		Publish(t, b, Number("c", 2))
		equal(t, "a", Numbers(t, earA.Heard(t, "c", 1)), []int{1})
		equal(t, "b", Numbers(t, earB.Heard(t, "c", 1)), []int{2})
		return
	}
	a, b := next(), next()
	earA, earB := NewEar(a), NewEar(b)
	AwaitHealthy(t, a)
	AwaitHealthy(t, b)
	earA.Listen(t, a, "c")
	earB.Listen(t, b, "c")
	first := Publish(t, a, Number("c", 1))[0].ID
	Publish(t, b, Number("c", 2))
	equal(t, "a", Numbers(t, earA.Heard(t, "c", 2)), upTo(1, 2))
	equal(t, "b", Numbers(t, earB.Heard(t, "c", 2)), upTo(1, 2))
	equal(t, "history in the other", Numbers(t, Resume(t, b, "c", bus.FromPosition(first), 5).Events), []int{2})
	quick := Number("c", 3)
	quick.Transient = true
	if r := Publish(t, a, quick)[0]; r.Receivers != 2 {
		t.Errorf("%d receivers, want 2", r.Receivers)
	}
}

func testClosed(t *testing.T, open Open) {
	b, _ := start(t, open, Keep)
	b.Close()
	if r := b.Publish(context.Background(), []bus.Publication{Number("c", 1)})[0]; r.Err == nil {
		t.Error("a closed bus took an event")
	}
	if _, err := b.Resume(context.Background(), "c", bus.FromNow(), 1); err == nil {
		t.Error("a closed bus answered a resume")
	}
	if b.Healthy() == nil {
		t.Error("a closed bus says that it is healthy")
	}
	if b.Delete(context.Background(), "c") == nil {
		t.Error("a closed bus deleted history")
	}
	b.Listen("c") // must not panic
}
