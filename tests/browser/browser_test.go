// Package browser tests the relay with a real Chromium: the page at "/", the
// examples, and the browser's own WebSocket and EventSource.
package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"relay/tests/browsertest"
	"relay/tests/redistest"
	"relay/tests/relaytest"
)

var chromium *browsertest.Browser

func TestMain(m *testing.M) {
	code := browsertest.Main(m, func(b *browsertest.Browser) { chromium = b })
	relaytest.Clean()
	os.Exit(code)
}

// A newcomer opens the address that the relay prints, pastes the curl line
// that it prints, and sees the event.
func TestFirstMinute(t *testing.T) {
	r := relaytest.Start(t)
	relaytest.Eventually(t, "the greeting", func() bool { return strings.Contains(r.Stdout(), "curl ") })
	address := regexp.MustCompile(`http://\S+/`).FindString(r.Stdout())
	line := regexp.MustCompile(`curl .*`).FindString(r.Stdout())

	tab := chromium.Open(t, address)
	tab.Wait(`document.body.innerText.includes("demo")`)
	relaytest.Eventually(t, "the page to be subscribed", func() bool {
		return strings.Contains(relaytest.Do(t, "GET", r.APIURL+"/v1/channels/demo", "").Body, `"all":1`)
	})
	out, err := exec.Command("sh", "-c", line).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"id"`) {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	tab.Wait(`document.body.innerText.includes("greeting") && document.body.innerText.includes("world")`)
}

// page serves an empty page of another origin on this machine.
func page(t *testing.T) *browsertest.Tab {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>app</title><body>")
	}))
	t.Cleanup(s.Close)
	return chromium.Open(t, s.URL)
}

func TestPlainWebSocketAndEventSource(t *testing.T) {
	r := relaytest.Start(t)
	tab := page(t)
	browsertest.Eval[bool](tab, fmt.Sprintf(`(() => {
		window.seen = { ws: [], sse: [] };
		const ws = new WebSocket(%q + "/v1/ws?channel=a");
		ws.onmessage = (m) => seen.ws.push(JSON.parse(m.data));
		ws.onclose = (e) => { seen.closed = e.code + " " + e.reason; };
		const sse = new EventSource(%q + "/v1/sse?channel=a");
		sse.onmessage = (m) => seen.sse.push({ ...JSON.parse(m.data), lastEventId: m.lastEventId });
		return true;
	})()`, "ws"+strings.TrimPrefix(r.PublicURL, "http"), r.PublicURL))
	tab.Wait(`seen.ws.some(f => f.type === "subscribed") && seen.sse.some(f => f.type === "subscribed")`)
	for n := range 20 {
		r.Publish(t, fmt.Sprintf(`{"channel":"a","event":"n","data":{"n":%d,"text":"line\nbreak é"}}`, n))
	}
	for _, way := range []string{"ws", "sse"} {
		tab.Wait(fmt.Sprintf(`seen.%s.filter(f => f.type === "event").length === 20`, way))
		if !browsertest.Eval[bool](tab, fmt.Sprintf(
			`seen.%s.filter(f => f.type === "event").every((f, i) => f.data.n === i && f.data.text === "line\nbreak é")`, way)) {
			t.Errorf("over %s: %s", way, browsertest.Eval[string](tab, "JSON.stringify(seen."+way+")"))
		}
	}
	if !browsertest.Eval[bool](tab, `seen.sse.filter(f => f.id).every(f => f.lastEventId === f.id)`) {
		t.Error("the EventSource does not know the last event's ID")
	}
	r.Signal(syscall.SIGTERM)
	tab.Wait(`seen.closed === "1001 draining" && seen.sse.some(f => f.type === "goodbye")`)
}

// burst is a request of events, numbered on from first; a third of them are
// large enough to be compressed.
func burst(channel string, first, events int) string {
	var b strings.Builder
	for n := first; n < first+events; n++ {
		text := strings.Repeat("ünï→😀 again, ", 1+n%3/2*200)
		fmt.Fprintf(&b, `,{"channel":%q,"event":"n","data":{"n":%d,"text":%q}}`, channel, n, text)
	}
	return "[" + b.String()[1:] + "]"
}

// whole is what a page has to say of the frames of a burst.
const whole = `every((f, i) => f.data.n === i && f.data.text === "ünï→😀 again, ".repeat(i % 3 === 2 ? 201 : 1))`

// Chromium offers permessage-deflate by itself, and reads what the relay has
// compressed once for everybody.
func TestBurstsComeCompressed(t *testing.T) {
	r := relaytest.Start(t)
	tab := page(t)
	browsertest.Eval[bool](tab, fmt.Sprintf(`(() => {
		window.seen = [];
		window.ws = new WebSocket(%q + "/v1/ws?channel=a");
		ws.onmessage = (m) => seen.push(JSON.parse(m.data));
		return true;
	})()`, "ws"+strings.TrimPrefix(r.PublicURL, "http")))
	tab.Wait(`seen.some(f => f.type === "subscribed")`)
	if got := browsertest.Eval[string](tab, "ws.extensions"); !strings.Contains(got, "permessage-deflate") {
		t.Errorf("agreed on the extensions %q", got)
	}
	const bursts, events = 3, 300
	size := 0
	for n := range bursts {
		body := burst("a", n*events, events)
		size += len(body)
		r.Publish(t, body)
	}
	tab.Wait(fmt.Sprintf(`seen.filter(f => f.type === "event").length === %d`, bursts*events))
	if !browsertest.Eval[bool](tab, `seen.filter(f => f.type === "event").`+whole) {
		t.Error("the bursts did not come in order and as they were published")
	}
	metrics := relaytest.Do(t, "GET", r.OpsURL+"/metrics", "").Body
	found := regexp.MustCompile(`(?m)^relay_delivered_bytes_total (\S+)$`).FindStringSubmatch(metrics)
	if found == nil {
		t.Fatalf("no metric of the bytes delivered in %s", metrics)
	}
	if sent, err := strconv.ParseFloat(found[1], 64); err != nil || sent > float64(size)/2 {
		t.Errorf("%v bytes were sent of %d that were published, %v", sent, size, err)
	}
}

// An EventSource knows after each event of a burst where it stands, and goes on
// there when its relay dies in the middle of one.
func TestEventSourceResumesAmidABurst(t *testing.T) {
	redis := redistest.Start(t)
	env := []string{"RELAY_REDIS_URL=" + redis.URL(), "RELAY_HISTORY_SIZE=5000"}
	other := relaytest.Start(t, env...)
	env = append(env, "RELAY_PUBLIC_ADDR="+relaytest.QuietAddr(t))
	first := relaytest.Start(t, env...)
	tab := page(t)
	browsertest.Eval[bool](tab, fmt.Sprintf(`(() => {
		window.seen = { one: [], two: [] };
		for (const [name, query] of [["one", "channel=a"], ["two", "channel=b&channel=a"]]) {
			new EventSource(%q + "/v1/sse?" + query).onmessage = (m) => seen[name].push({ ...JSON.parse(m.data), lastEventId: m.lastEventId });
		}
		window.events = (name) => seen[name].filter(f => f.type === "event");
		return true;
	})()`, first.PublicURL))
	tab.Wait(`seen.one.some(f => f.type === "subscribed") && seen.two.filter(f => f.type === "subscribed").length === 2`)
	const bursts, events = 10, 100
	for n := range bursts {
		if n == bursts/2 {
			tab.Wait(fmt.Sprintf(`events("one").length >= %d && events("two").length >= %[1]d`, n*events))
		}
		other.Publish(t, burst("a", n*events, events))
		switch n {
		case bursts / 2:
			first.Kill()
		case bursts - 2:
			first = relaytest.Start(t, env...)
		}
	}
	for name, knows := range map[string]string{
		"one": `f.lastEventId === f.id`,
		"two": `f.lastEventId.split("~").some(entry => entry.endsWith("." + f.id))`,
	} {
		tab.Wait(fmt.Sprintf(`events(%q).length >= %d`, name, bursts*events))
		if !browsertest.Eval[bool](tab, fmt.Sprintf(`events(%[1]q).length === %[2]d && events(%[1]q).%[3]s`, name, bursts*events, whole)) {
			t.Errorf("%s: not every event once and in order", name)
		}
		if !browsertest.Eval[bool](tab, fmt.Sprintf(`events(%q).every(f => %s)`, name, knows)) {
			t.Errorf("%s: an event with a last event ID that is not where it stands", name)
		}
		if browsertest.Eval[int](tab, fmt.Sprintf(`seen.%s.filter(f => f.type === "welcome").length`, name)) < 2 {
			t.Errorf("%s: it never came back, so nothing was resumed", name)
		}
		if browsertest.Eval[bool](tab, fmt.Sprintf(`seen.%s.some(f => f.type === "reset")`, name)) {
			t.Errorf("%s: a reset without cause", name)
		}
	}
}

// An EventSource, and the example with a WebSocket, live through a restart of
// their relay and get what was published meanwhile through another one.
func TestBrowsersResume(t *testing.T) {
	redis := redistest.Start(t)
	env := "RELAY_REDIS_URL=" + redis.URL()
	first, other := relaytest.Start(t, env), relaytest.Start(t, env)
	plain := page(t)
	browsertest.Eval[bool](plain, fmt.Sprintf(`(() => {
		window.seen = [];
		new EventSource(%q + "/v1/sse?channel=a").onmessage = (m) => seen.push(JSON.parse(m.data));
		return true;
	})()`, first.PublicURL))
	files := httptest.NewServer(http.FileServer(http.Dir("../../examples/browser")))
	t.Cleanup(files.Close)
	example := chromium.Open(t, files.URL+"/websocket.html?channel=a&relay="+first.PublicURL)
	plain.Wait(`seen.some(f => f.type === "subscribed")`)
	example.Wait(`document.body.innerText.includes("subscribed")`)
	first.Publish(t, `{"channel":"a","event":"before","data":0}`)
	plain.Wait(`seen.some(f => f.event === "before")`)
	example.Wait(`document.body.innerText.includes("before")`)

	first.Signal(syscall.SIGTERM)
	first.Wait()
	for n := range 5 {
		other.Publish(t, fmt.Sprintf(`{"channel":"a","event":"meanwhile","data":%d}`, n))
	}
	again := relaytest.Start(t, env, "RELAY_PUBLIC_ADDR="+strings.TrimPrefix(first.PublicURL, "http://"))
	plain.Wait(`seen.filter(f => f.event === "meanwhile").length === 5`)
	again.Publish(t, `{"channel":"a","event":"after","data":0}`)
	plain.Wait(`seen.some(f => f.event === "after")`)
	example.Wait(`document.body.innerText.includes("after")`)
	if got := browsertest.Eval[string](plain, `seen.filter(f => f.type === "event").map(f => f.event + f.data).join(" ")`); got !=
		"before0 meanwhile0 meanwhile1 meanwhile2 meanwhile3 meanwhile4 after0" {
		t.Errorf("the EventSource saw %s", got)
	}
	if got := browsertest.Eval[int](example, `document.body.innerText.split("meanwhile").length - 1`); got != 5 {
		t.Errorf("the example saw %d of 5 events", got)
	}
	if browsertest.Eval[bool](plain, `seen.some(f => f.type === "reset")`) {
		t.Error("a reset without cause")
	}
}

func TestExamplePages(t *testing.T) {
	r := relaytest.Start(t)
	files := httptest.NewServer(http.FileServer(http.Dir("../../examples/browser")))
	t.Cleanup(files.Close)
	for _, name := range []string{"websocket.html", "eventsource.html"} {
		text, err := os.ReadFile("../../examples/browser/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines >= 40 {
			t.Errorf("%s has %d lines; an example of 40 is no longer small", name, lines)
		}
		tab := chromium.Open(t, files.URL+"/"+name+"?channel=example&relay="+r.PublicURL)
		tab.Wait(`document.body.innerText.includes("subscribed")`)
		r.Publish(t, `{"channel":"example","event":"hello","data":{"from":"`+name+`"}}`)
		tab.Wait(`document.body.innerText.includes("hello") && document.body.innerText.includes(` + fmt.Sprintf("%q", name) + `)`)
	}
	// Both live through a restart.
	tabs := []*browsertest.Tab{}
	for _, name := range []string{"websocket.html", "eventsource.html"} {
		tab := chromium.Open(t, files.URL+"/"+name+"?channel=example&relay="+r.PublicURL)
		tab.Wait(`document.body.innerText.includes("subscribed")`)
		tabs = append(tabs, tab)
	}
	r.Signal(syscall.SIGTERM)
	r.Wait()
	again := relaytest.Start(t, "RELAY_PUBLIC_ADDR="+strings.TrimPrefix(r.PublicURL, "http://"))
	for _, tab := range tabs {
		tab.Wait(`document.body.innerText.split("subscribed").length > 2`)
	}
	again.Publish(t, `{"channel":"example","event":"again","data":"back"}`)
	for _, tab := range tabs {
		tab.Wait(`document.body.innerText.includes("again")`)
	}
}
