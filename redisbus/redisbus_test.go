package redisbus_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"relay/bus"
	"relay/bus/bustest"
	"relay/event"
	"relay/redisbus"
	"relay/tests/redistest"
)

func TestMain(m *testing.M) {
	// Most of the tests that run beside each other wait for Redis to notice
	// something; they take no processor for that.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		// The driver sleeps out a delay of up to a second before it may look
		// for the servers again, even when its client is closed meanwhile.
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		// And waits five seconds before it closes connections to nodes that left.
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

func open(tb testing.TB, server interface{ URL() string }, prefix string, keep bus.Keep) bus.Bus {
	tb.Helper()
	b, err := redisbus.Open(redisbus.Options{
		URL: server.URL(), Prefix: prefix, Retention: keep, MaxEventBytes: 64 << 10,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	return b
}

type redisURL string

func (u redisURL) URL() string { return string(u) }

// as is a server's URL for a user whose password is secret.
func as(server interface{ URL() string }, user string) redisURL {
	return redisURL(strings.Replace(server.URL(), "://", "://"+user+":secret@", 1))
}

// await polls until ok.
func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			tb.Fatalf("waited a minute for: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestContract(t *testing.T) {
	server := redistest.Start(t)
	n := 0
	bustest.Run(t, func(tb testing.TB, keep bus.Keep) (func() bus.Bus, bool) {
		n++
		prefix := fmt.Sprintf("test%d:", n)
		return func() bus.Bus { return open(tb, server, prefix, keep) }, true
	})
}

func TestNamesInRedis(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "orders.42")
	p := bustest.Number("orders.42", 1)
	p.Key = "k"
	id := bustest.Publish(t, b, p)[0].ID

	if got := server.Do("XLEN", "relay:orders.42"); got != ":1" {
		t.Errorf("XLEN of the stream: %s", got)
	}
	if got := server.Do("GET", "{relay:orders.42}h"); got != id.String() {
		t.Errorf("the head holds %q, the event is %q", got, id)
	}
	for _, key := range []string{"relay:orders.42", "{relay:orders.42}h", "{relay:orders.42}k:k"} {
		if got := server.Do("PTTL", key); strings.HasPrefix(got, ":-") {
			t.Errorf("%s lives for ever (PTTL %s)", key, got)
		}
	}
	if got := server.Do("PUBLISH", "relay:orders.42", `{"event":"x","data":{"a": 1}}`); got != ":1" {
		t.Errorf("%s receivers for a message published by hand", got)
	}
	d := ear.Heard(t, "orders.42", 2)[1]
	if !d.Event.ID.IsZero() || string(d.Event.Data) != `{"a":1}` {
		t.Errorf("published by hand, heard as %+v", d.Event)
	}
}

func TestDatabaseIsPartOfThePrefix(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, redisURL(server.URL()+"/3"), "relay:", bustest.Keep)
	other := open(t, server, "relay:", bustest.Keep)
	ear, otherEar := bustest.NewEar(b), bustest.NewEar(other)
	bustest.AwaitHealthy(t, b)
	bustest.AwaitHealthy(t, other)
	ear.Listen(t, b, "c")
	otherEar.Listen(t, other, "c")
	bustest.Publish(t, other, bustest.Number("c", 1))
	bustest.Publish(t, b, bustest.Number("c", 2))
	if got := bustest.Numbers(t, ear.Heard(t, "c", 1)); got[0] != 2 {
		t.Errorf("database 3 heard %v", got)
	}
	if got := bustest.Numbers(t, otherEar.Heard(t, "c", 1)); got[0] != 1 {
		t.Errorf("database 0 heard %v", got)
	}
}

func TestStrangersMessages(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	bad := []string{
		``, `hello`, `{`, `{"data":1}`, `{"event":"","data":1}`, `{"event":"x"}`, `{"event":1,"data":1}`,
		`{"event":"x","data":1}}`, `[1]`, `1-1-abcdef`, `1-1-abcdef abcdef`, `1-1-abcdef abcdef {`,
		`x-1-abcdef abcdef {"event":"x","data":1}`, `1-1-abc abcdef {"event":"x","data":1}`,
		"{\"event\":\"\xff\",\"data\":1}", `{"event":"x","data":"` + strings.Repeat("a", 64<<10) + `"}`,
	}
	for _, text := range bad {
		server.Do("PUBLISH", "relay:c", text)
	}
	for _, reason := range ear.AwaitDropped(t, len(bad)) {
		if reason != event.DropMalformed {
			t.Errorf("dropped as %s", reason)
		}
	}
	server.Do("PUBLISH", "relay:c", ` {"event":"x"}`)
	server.Do("PUBLISH", "relay:c", `{"event":"ok","data":1,"newer":"field"}`)
	if d := ear.Heard(t, "c", 1)[0]; d.Event.Name != "ok" {
		t.Errorf("heard %+v", d.Event)
	}
}

// An entry that is not ours, older than all that are, proves no loss to anybody.
func TestStrangersEntry(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	head := bustest.Resume(t, b, "c", bus.FromNow(), 0).Head
	server.Do("XADD", "relay:c", "1-1000", "x", "y")
	r := bustest.Publish(t, b, bustest.Number("c", 1), bustest.Number("c", 2), bustest.Number("c", 3))
	page := bustest.Resume(t, b, "c", bus.FromPosition(r[1].ID), 10)
	if place := page.Place(bus.FromPosition(r[0].ID)); place.Reset != "" {
		t.Errorf("a reader whose next event is kept stands at %+v in %+v", place, page)
	}
	page = bustest.Resume(t, b, "c", bus.FromPosition(head), 10)
	if got := bustest.Numbers(t, page.Events); !page.Recovered || !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("from the beginning: %+v", page)
	}
}

func TestReconnectsAndHearsAgain(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	for _, c := range []string{"a", "b"} {
		ear.Listen(t, b, c)
	}
	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	ear.AwaitConfirmations(t, "a", 2)
	ear.AwaitConfirmations(t, "b", 2)
	bustest.Publish(t, b, bustest.Number("a", 1), bustest.Number("b", 1))
	ear.Heard(t, "a", 1)
	ear.Heard(t, "b", 1)

	server.Stop()
	if r := b.Publish(context.Background(), []bus.Publication{bustest.Number("a", 2)})[0]; r.Err == nil {
		t.Error("took an event while Redis was down")
	}
	server.Restart()
	ear.AwaitConfirmations(t, "a", 3)
	ear.AwaitConfirmations(t, "b", 3)
	bustest.AwaitHealthy(t, b)
	bustest.Publish(t, b, bustest.Number("a", 3))
	ear.Heard(t, "a", 2)
}

func TestStartsBeforeRedis(t *testing.T) {
	server := redistest.Start(t)
	server.Stop()
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	b.Listen("c")
	if b.Healthy() == nil {
		t.Error("healthy without Redis")
	}
	if r := b.Publish(context.Background(), []bus.Publication{bustest.Number("c", 1)})[0]; r.Err == nil {
		t.Error("took an event without Redis")
	}
	server.Restart()
	ear.AwaitConfirmations(t, "c", 1)
	bustest.Publish(t, b, bustest.Number("c", 1))
	ear.Heard(t, "c", 1)
}

func TestScriptsAreForgotten(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	for n := range 3 {
		server.Do("SCRIPT", "FLUSH")
		if id := bustest.Publish(t, b, bustest.Number("c", n))[0].ID; id.Offset != uint64(n+1) {
			t.Errorf("event %d has %v", n, id)
		}
		server.Do("SCRIPT", "FLUSH")
		bustest.Resume(t, b, "c", bus.FromNow(), 1)
	}
}

func TestRefusedChannel(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "app", "on", ">secret", "+@all", "~*", "resetchannels", "&relay:ok*", "&relay:_canary.*")
	b := open(t, as(server, "app"), "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	b.Listen("secret")
	if err := ear.AwaitFailed(t, "secret"); !strings.Contains(err.Error(), "permission") {
		t.Errorf("refused with %v", err)
	}
	ear.Listen(t, b, "ok.1")
	bustest.Publish(t, b, bustest.Number("ok.1", 1))
	ear.Heard(t, "ok.1", 1)
}

// A server that is busy for a while refuses SUBSCRIBE; that must pass.
func TestBusyServer(t *testing.T) {
	server := redistest.Start(t, "--busy-reply-threshold", "50")
	b := open(t, server, "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		// Its end is an error: the script is killed below.
		_, _ = server.Try("EVAL", "while true do end", "0")
	}()
	for !strings.Contains(server.Do("GET", "x"), "BUSY") {
	}
	b.Listen("c")
	for server.Do("SCRIPT", "KILL") != "+OK" {
	}
	<-busy
	ear.AwaitConfirmations(t, "c", 1)
	bustest.Publish(t, b, bustest.Number("c", 1))
	ear.Heard(t, "c", 1)
}

func TestCredentialsCanChange(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "app", "on", ">old", "+@all", "~*", "&*")
	var url atomic.Value
	url.Store("redis://app:old@" + server.Addr)
	fresh := func() string { return url.Load().(string) }
	b, err := redisbus.Open(redisbus.Options{URL: fresh(), Fresh: fresh, Prefix: "relay:", Retention: bustest.Keep, MaxEventBytes: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	url.Store("redis://app:new@" + server.Addr)
	server.Do("ACL", "SETUSER", "app", ">new", "<old")
	server.Do("CLIENT", "KILL", "USER", "app")
	ear.AwaitConfirmations(t, "c", 2)
	bustest.Publish(t, b, bustest.Number("c", 1))
	ear.Heard(t, "c", 1)
}

// Without the permission to announce, nothing is written either: an event in
// history that nobody hears would look published to a retry.
func TestNothingIsKeptThatCannotBeAnnounced(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "app", "on", ">secret", "+@all", "~*", "&*")
	b := open(t, as(server, "app"), "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	server.Do("ACL", "SETUSER", "app", "-publish")
	if r := b.Publish(context.Background(), []bus.Publication{bustest.Number("c", 1)})[0]; r.Err == nil || !strings.Contains(r.Err.Error(), "NOPERM") {
		t.Errorf("%+v", r)
	}
	keyed := bustest.Number("d", 1)
	keyed.Key = "k"
	server.Do("LPUSH", "{relay:d}k:k", "not a string")
	server.Do("ACL", "SETUSER", "app", "+publish")
	if r := b.Publish(context.Background(), []bus.Publication{bustest.Number("d", 0), keyed})[1]; r.Err == nil {
		t.Errorf("with a key of another type: %+v", r)
	}
	for _, key := range []string{"relay:c", "{relay:c}h", "relay:d", "{relay:d}h"} {
		if got := server.Do("EXISTS", key); got != ":0" {
			t.Errorf("%s was written", key)
		}
	}
}

// While the relay cannot hear, an event that history does not keep would be
// lost to its own clients.
func TestTransientEventsAreRefusedWhileDeaf(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "app", "on", ">secret", "+@all", "~*", "&*")
	b := open(t, as(server, "app"), "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	server.Do("ACL", "SETUSER", "app", "-ping") // so that no new subscriber connection comes up
	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	for b.Healthy() == nil {
		time.Sleep(time.Millisecond)
	}
	quick := bustest.Number("c", 2)
	quick.Transient = true
	r := b.Publish(context.Background(), []bus.Publication{bustest.Number("c", 1), quick, bustest.Number("c", 3)})
	if r[0].Err != nil || !errors.Is(r[1].Err, bus.ErrUnavailable) || r[2].Err != nil || r[2].ID.Offset != 2 {
		t.Errorf("%+v", r)
	}
	server.Do("ACL", "SETUSER", "app", "+ping")
	ear.AwaitConfirmations(t, "c", 2)
	bustest.AwaitHealthy(t, b)
	bustest.Publish(t, b, quick)
	ear.Heard(t, "c", 1)
}

func TestUnreadableHead(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	server.Do("SET", "{relay:c}h", "nonsense")
	if head := bustest.Resume(t, b, "c", bus.FromNow(), 1).Head; head.Offset != 0 {
		t.Errorf("head %v", head)
	}
	server.Do("SET", "{relay:c}h", "1-1-short")
	if id := bustest.Publish(t, b, bustest.Number("c", 1))[0].ID; id.Offset != 1 {
		t.Errorf("published as %v", id)
	}
}

// A head that is gone or behind its stream begins a new history, and a reader
// of the old one is told.
func TestLostHead(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	r := bustest.Publish(t, b, bustest.Number("c", 1), bustest.Number("c", 2))

	server.Do("SET", "{relay:c}h", r[0].ID.String()) // as if a write had been lost
	next := bustest.Publish(t, b, bustest.Number("c", 3))[0].ID
	for _, old := range r {
		if page := bustest.Resume(t, b, "c", bus.FromPosition(old.ID), 10); page.Reset != event.ResetDiverged {
			t.Errorf("a reader of the old history: %+v", page)
		}
	}

	server.Do("DEL", "{relay:c}h")
	if page := bustest.Resume(t, b, "c", bus.FromPosition(next), 10); page.Reset != event.ResetUnknown {
		t.Errorf("without a head: %+v", page)
	}
	if got := server.Do("EXISTS", "relay:c"); got != ":0" {
		t.Error("the stream of a history that ended is still there")
	}
}

func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"event":"x","data":1}`, `1795334400123-42-Xk3vQ9 b0Ty2m {"event":"x","data":{"a":[1,null]},"exclude":["a"]}`,
		`1-0-aaaaaa bbbbbb {}`, `- -`, `{}`, ``, `{"event":"x","data":1,"event":"y"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { redisbus.CheckMessageRoundTrip(t, text) })
}

// Whoever compares positions keeps them.
func TestHeadsAreRenewed(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, server, "relay:", bustest.Keep)
	bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	id := bustest.Publish(t, b, bustest.Number("c", 1))[0].ID
	server.Do("PEXPIRE", "{relay:c}h", "30000")
	server.Do("SET", "{relay:odd}h", "not a position")
	heads := b.Heads(t.Context(), []string{"c", "odd"})
	if heads["c"] != id || len(heads) != 2 || !heads["odd"].IsZero() {
		t.Errorf("the heads are %v", heads)
	}
	if ttl, err := strconv.Atoi(strings.TrimPrefix(server.Do("PTTL", "{relay:c}h"), ":")); err != nil || ttl <= 30000 {
		t.Errorf("the head is kept for %d ms more, %v", ttl, err)
	}
	server.Stop()
	if heads := b.Heads(t.Context(), []string{"c"}); len(heads) > 0 {
		t.Errorf("without Redis the heads are %v", heads)
	}
}

// The permissions that docs/kubernetes.md gives are enough, and the test reads
// them there.
func TestDocumentedPermissionsSuffice(t *testing.T) {
	server := redistest.Start(t)
	permitOnlyDocumented(t, server)
	b := open(t, as(server, "relay"), "relay:", bustest.Keep)
	ear := bustest.NewEar(b)
	bustest.AwaitHealthy(t, b)
	ear.Listen(t, b, "c")
	keyed := bustest.Number("c", 1)
	keyed.Key = "k"
	quick := bustest.Number("c", 2)
	quick.Transient = true
	bustest.Publish(t, b, keyed)
	bustest.Publish(t, b, quick)
	ear.Heard(t, "c", 2)
	bustest.Resume(t, b, "c", bus.FromStart(), 10)
	if err := b.Delete(t.Context(), "c"); err != nil {
		t.Error(err)
	}
	if _, err := b.(*redisbus.Bus).Share(t.Context(), "secret", "s", time.Minute); err != nil {
		t.Error(err)
	}
	b.Unlisten("c")
	ear.Listen(t, b, "d")
	if out := server.Do("ACL", "LOG"); out != "*0" {
		t.Errorf("Redis has refused something: ACL LOG %s", out)
	}
}

// permitOnlyDocumented makes a user relay, password secret, by the line that
// docs/kubernetes.md gives. docs/running.md permits the same.
func permitOnlyDocumented(t *testing.T, server *redistest.Server) {
	t.Helper()
	page := func(name string) string {
		text, err := os.ReadFile("../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	line := regexp.MustCompile(`(?m)^    (ACL SETUSER relay on >PASSWORD resetchannels resetkeys -@all (\+.*))$`).FindStringSubmatch(page("kubernetes.md"))
	if line == nil {
		t.Fatal("docs/kubernetes.md gives no permissions")
	}
	if !strings.Contains(page("running.md"), "\n    "+line[2]+"\n") {
		t.Error("docs/running.md gives other permissions than docs/kubernetes.md")
	}
	server.Do(strings.Fields(strings.Replace(line[1], "PASSWORD", "secret", 1))...)
}
