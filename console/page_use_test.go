package console_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"relay/console"
	"relay/tests/browsertest"
)

func TestKeyboard(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	relay.publish("demo", "first", `{"n":1}`)
	relay.publish("demo", "second", `{"n":2}`)
	b.Wait(row("second"))

	// Through the page by Tab alone, until the focus leaves it.
	var reached []string
	for {
		b.Press(kb.Tab)
		id := browsertest.Eval[string](b, "document.activeElement.id || document.activeElement.className")
		if browsertest.Eval[bool](b, "document.activeElement === document.body") {
			break
		}
		if reached = append(reached, id); len(reached) > 100 {
			t.Fatalf("Tab never leaves the page: %v", reached)
		}
		if !browsertest.Eval[bool](b, "document.activeElement.matches(':focus-visible')") {
			t.Errorf("nobody sees that %s has the focus", id)
		}
	}
	for _, id := range []string{"connect", "theme", "subscribe-channel", "chip-name", "chip-close", "filter", "pause", "list", "publish-data", "tab-curl"} {
		if !slices.Contains(reached, id) {
			t.Errorf("Tab does not reach %s; it reaches %v", id, reached)
		}
	}

	// The list: the newest is first; Enter opens, Escape closes and stays.
	browsertest.Eval[any](b, `void document.getElementById("list").focus()`)
	b.Press(kb.ArrowDown)
	b.Press(kb.ArrowDown)
	b.Press(kb.Enter)
	b.Wait(`document.getElementById("detail-title").textContent === "first"`)
	if !browsertest.Eval[bool](b, `document.getElementById(document.getElementById("list").getAttribute("aria-activedescendant")).textContent.includes("first")`) {
		t.Error("a screen reader is told of another row")
	}
	b.Press(kb.ArrowUp)
	b.Wait(`document.getElementById("detail-title").textContent === "second"`)
	b.Press(kb.Escape)
	b.Wait(`!document.getElementById("detail").checkVisibility() && document.activeElement.id === "list"`)

	// Single keys, but not while somebody types.
	b.Press("p")
	b.Wait(`document.getElementById("pause").textContent === "Resume"`)
	b.Press("s")
	b.Wait(`document.activeElement.id === "subscribe-channel"`)
	b.Press("pppp" + kb.Enter)
	b.Wait(`document.querySelectorAll(".chip").length === 2 && ` + subscribed)
	b.Press(kb.Escape)
	b.Press("?")
	b.Wait(`document.getElementById("shortcuts").open`)
	b.Press(kb.Escape)
	b.Wait(`!document.getElementById("shortcuts").open`)

	// Tabs move with the arrows.
	browsertest.Eval[any](b, `void document.getElementById("tab-curl").focus()`)
	b.Press(kb.ArrowRight)
	b.Wait(`document.activeElement.id === "tab-websocket" && document.getElementById("snippet").textContent.includes("new WebSocket")`)
	b.Press(kb.ArrowLeft)
	b.Press(kb.ArrowLeft)
	b.Wait(`document.getElementById("snippet").textContent.includes("new EventSource")`)
}

func TestEveryControlHasAName(t *testing.T) {
	_, b := openPage(t, console.Options{Publish: true, TakesTokens: true}, "")
	b.Wait(subscribed)
	nameless := browsertest.Eval[[]string](b, `[...document.querySelectorAll("button, input, textarea, [role=listbox]")]
		.filter((e) => e.checkVisibility() && !(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim()))
		.map((e) => e.outerHTML)`)
	if len(nameless) > 0 {
		t.Errorf("a screen reader has no name for %s", strings.Join(nameless, "\n"))
	}
}

func TestNarrowWindow(t *testing.T) {
	relay, b := openPage(t, console.Options{Publish: true, TakesTokens: true, APIURL: "http://127.0.0.1:8081"}, "#channel=demo&channel="+strings.Repeat("long", 40))
	b.Must(chromedp.EmulateViewport(360, 740))
	b.Wait(subscribed)
	relay.publish("demo", strings.Repeat("name", 30), `"`+strings.Repeat("data", 100)+`"`)
	b.Wait(row("name"))
	if got := browsertest.Eval[int](b, "document.documentElement.scrollWidth"); got > 360 {
		t.Errorf("the page is %d pixels wide in a window of 360", got)
	}
}

func TestThemeIsKept(t *testing.T) {
	_, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	const ground = `getComputedStyle(document.body).backgroundColor`
	b.Click("theme")
	light := browsertest.Eval[string](b, ground)
	b.Click("theme")
	dark := browsertest.Eval[string](b, ground)
	if light == dark {
		t.Errorf("light and dark are both %s", light)
	}
	b.Must(chromedp.Reload())
	b.Wait(subscribed)
	if got := browsertest.Eval[string](b, ground); got != dark {
		t.Errorf("after a reload the ground is %s, was %s", got, dark)
	}
}

// TestPolicyIsInForce does what an injected script would, so that the absence
// of violations in the other tests means something.
func TestPolicyIsInForce(t *testing.T) {
	_, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	browsertest.Eval[any](b, `void (() => {
		const run = (action) => { try { action(); } catch {} };
		run(() => { import("https://elsewhere.example/x.js").catch(() => {}); });
		run(() => { const p = document.createElement("p"); p.setAttribute("style", "color: red"); document.body.append(p); });
		run(() => { document.body.insertAdjacentHTML("beforeend", "<b>markup</b>"); });
		run(() => { fetch("https://elsewhere.example/").catch(() => {}); });
	})()`)
	for _, directive := range []string{"script-src-elem", "style-src-attr", "require-trusted-types-for", "connect-src"} {
		b.Wait(fmt.Sprintf("violations.some((v) => v.startsWith(%q))", directive))
	}
	browsertest.Eval[any](b, "void (violations.length = 0)")
}

func TestCurlSnippetIsAShellCommand(t *testing.T) {
	tests := []struct {
		channel  string
		needsKey bool
	}{
		{"demo", false},
		{"demo", true},
		{`it's "quoted" $HOME \n !`, true},
		{`it's "quoted" $HOME \n !`, false},
		{"Küche 🍳", true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %t", tt.channel, tt.needsKey), func(t *testing.T) {
			relay := newFakeRelay(t, console.Options{NeedsKey: tt.needsKey, APIURL: "http://127.0.0.1:8081"})
			b := chromium.Open(t, relay.URL+"/")
			b.Wait(subscribed)
			b.Fill("subscribe-channel", tt.channel+kb.Enter)
			b.Wait(`document.querySelectorAll(".chip").length >= 1 && ` + subscribed)
			args := shellWords(t, b.Text("snippet"))
			var sent frame
			if err := json.Unmarshal([]byte(args[len(args)-1]), &sent); err != nil {
				t.Fatalf("%v in %q", err, args)
			}
			if sent.Channel != tt.channel || args[0] != "http://127.0.0.1:8081/v1/events" {
				t.Errorf("the line posts to channel %q at %s", sent.Channel, args[0])
			}
			if got := slices.Contains(args, "Authorization: Bearer sesame"); got != tt.needsKey {
				t.Errorf("key sent: %t", got)
			}
		})
	}
}

// shellWords returns the arguments that a shell would hand to curl.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	cmd := exec.Command("sh", "-c", `curl() { printf '%s\0' "$@"; }`+"\n"+line)
	cmd.Env = []string{"RELAY_API_KEY=sesame"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the shell does not take %s: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestBrowserSnippetsRun(t *testing.T) {
	relay, b := openPage(t, onLoopback, "#channel=demo")
	b.Wait(subscribed)
	b.Click("tab-websocket")
	browsertest.Eval[any](b, `void (() => { window.logged = []; console.log = (...a) => logged.push(a); })()`)
	browsertest.Eval[any](b, b.Text("snippet")+"; undefined")
	b.Until("the snippet's socket is open", func() bool {
		relay.mu.Lock()
		defer relay.mu.Unlock()
		return len(relay.clients) == 2
	})
	relay.publish("demo", "hello", `{"n":1}`)
	b.Wait(`logged.length === 1 && logged[0][0] === "hello" && logged[0][1].n === 1`)
}

// TestJSONText holds the page's own JSON code against the browser's.
func TestJSONText(t *testing.T) {
	_, b := openPage(t, onLoopback, "")
	texts := []string{
		`null`, `-1.5e+300`, `""`, `"a\"b\\"`, `[]`, `{}`, `[[],{}]`,
		`{"a":[1,2,{"b":null}],"c":"{[,:]}"}`,
		`{"n":12345678901234567890,"n":1.10}`,
		`{"\"data\"":1,"data ":2,"x":{"data":3}}`,
		`"\u00e9 é 😀 \\\" "`,
	}
	for _, text := range texts {
		t.Run(text, func(t *testing.T) {
			quoted, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			got := browsertest.Eval[[]string](b, fmt.Sprintf(`import("./console/json.js").then(({ pretty, member }) => {
				const text = %s;
				const lines = pretty(text).map((piece) => piece.text).join("");
				const dense = pretty(text).filter((piece) => piece.kind !== "space").map((piece) => piece.text).join("");
				return [lines, dense, member('{"type":"event","data":' + text + ',"later":1}', "data"), member('{"x":{"data":1},"data":' + text + "}", "data"), member(text, "missing")];
			})`, quoted))
			if got[1] != text {
				t.Errorf("printed and joined again it is %s", got[1])
			}
			if !json.Valid([]byte(got[0])) {
				t.Errorf("it is no JSON any more: %s", got[0])
			}
			if got[2] != text || got[3] != text {
				t.Errorf("as a member it is %s and %s", got[2], got[3])
			}
			if got[4] != "" {
				t.Errorf("a member that is not there is %s", got[4])
			}
		})
	}
}
