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
