package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/coder/websocket"

	"relay/console"
	"relay/event"
	"relay/problem"
	"relay/tests/browsertest"
)

// onLoopback is how a relay with nothing configured shows its page.
var onLoopback = console.Options{Publish: true, APIURL: "http://127.0.0.1:8081"}

// subscribed is true once the relay has confirmed every channel.
const subscribed = `document.querySelector(".chip") && !document.querySelector(".chip:not([data-state=subscribed])")`

// row is true when the list shows a row whose text holds all of these.
func row(parts ...string) string {
	tests := make([]string, len(parts))
	for i, part := range parts {
		tests[i] = fmt.Sprintf("row.textContent.includes(%q)", part)
	}
	return `[...document.querySelectorAll(".row")].some((row) => ` + strings.Join(tests, " && ") + ")"
}

func TestFirstLoadListensOnDemo(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	if got := relay.got("subscribe"); len(got) != 1 || got[0].Channel != "demo" {
		t.Errorf("the page asked for %+v, not for demo alone", got)
	}
	if got := b.Text("state-text"); got != "Connected" {
		t.Errorf("the state is %q", got)
	}
	if got := browsertest.Eval[string](b, "location.hash"); got != "#channel=demo" {
		t.Errorf("the page's address ends in %q: it cannot be shared", got)
	}
	if got := b.Text("welcome-code"); !strings.Contains(got, "curl http://127.0.0.1:8081/v1/events") || !strings.Contains(got, `"demo"`) {
		t.Errorf("a newcomer is told to paste %q", got)
	}
	b.Wait(`document.getElementById("trip").textContent.endsWith("ms")`)
}

func TestEventAppears(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	id := relay.publish("demo", "order.paid", `{"total":12345678901234567890,"markup":"<img src=x onerror=alert(1)>"}`)
	b.Wait(row("demo", "order.paid", "12345678901234567890", "#1"))
	if browsertest.Eval[bool](b, `document.getElementById("welcome").checkVisibility()`) {
		t.Error("the hint for newcomers is still there")
	}
	b.Must(chromedp.Click(chromedp.CSS(`.row[data-kind="event"]`)))
	if got := b.Text("detail-body"); got != "{\n  \"total\": 12345678901234567890,\n  \"markup\": \"<img src=x onerror=alert(1)>\"\n}" {
		t.Errorf("the event is shown as %s", got)
	}
	if got := b.Text("detail-facts"); !strings.Contains(got, id) {
		t.Errorf("the position %s is missing in %q", id, got)
	}
}

func TestFramesAreShownUnlessHidden(t *testing.T) {
	_, b := openPage(t, onLoopback, "")
	b.Wait(row("subscribed", "demo"))
	b.Wait(row("welcome", "c0ffee"))
	b.Click("frames")
	b.Wait(`document.querySelectorAll(".row").length === 0`)
	b.Click("frames")
	b.Wait(row("subscribed", "demo"))
}

func TestFilterPauseAndClear(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	relay.publish("demo", "apple", `1`)
	relay.publish("demo", "pear", `{"of":"Williams"}`)
	b.Wait(row("pear"))

	b.Fill("filter", "data") // a word of every frame, and of no event
	b.Wait(`document.querySelectorAll(".row").length === 0`)
	b.Fill("filter", "WILLIAMS")
	b.Wait(`document.querySelectorAll(".row").length === 1`)
	b.Wait(row("pear"))
	if got := b.Text("counters"); got != "2 received · 1 match the filter" {
		t.Errorf("the counters say %q", got)
	}
	b.Fill("filter", kb.Backspace)

	b.Click("pause")
	relay.publish("demo", "plum", `2`)
	b.Wait(`document.getElementById("waiting").textContent === "1 waiting while paused"`)
	if browsertest.Eval[bool](b, row("plum")) {
		t.Error("an event came into a paused list")
	}
	b.Click("pause")
	b.Wait(row("plum"))
	b.Wait(`document.getElementById("waiting").textContent === ""`)

	b.Click("clear")
	b.Wait(`document.querySelectorAll(".row").length === 0`)
	b.Wait(`document.getElementById("counters").textContent === "No events yet"`)
}

// TestReadingStaysInPlace: who has scrolled away from the newest event reads
// on undisturbed, and is told how many came meanwhile.
func TestReadingStaysInPlace(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	for i := range 100 {
		relay.publish("demo", fmt.Sprintf("e%d", i), `null`)
	}
	b.Wait(row("e99"))
	const top = `(() => { const list = document.getElementById("list").getBoundingClientRect();
		return document.elementFromPoint(list.left + 20, list.top + 20).closest(".row").querySelector(".name").textContent })()`
	browsertest.Eval[any](b, `void (document.getElementById("list").scrollTop = 1000)`)
	b.Wait(row("e60"))
	before := browsertest.Eval[string](b, top)
	for i := range 50 {
		relay.publish("demo", fmt.Sprintf("late%d", i), `null`)
	}
	b.Wait(`document.getElementById("fresh").textContent === "↑ 50 new"`)
	if after := browsertest.Eval[string](b, top); after != before {
		t.Errorf("the reader was at %s and is at %s", before, after)
	}
	b.Click("fresh")
	b.Wait(row("late49"))
	b.Click("order")
	b.Wait(row("late49"))
	if got := browsertest.Eval[string](b, `[...document.querySelectorAll(".row")].sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top).at(-1).querySelector(".name").textContent`); got != "late49" {
		t.Errorf("newest last ends in %s", got)
	}
}

// TestBurst: thousands of events at once leave the page alive, the document
// small, and the counters honest.
func TestBurst(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	browsertest.Eval[any](b, `void (() => {
		window.pictures = 0; window.mostRows = 0;
		const look = () => { pictures++; mostRows = Math.max(mostRows, document.querySelectorAll(".row").length); requestAnimationFrame(look); };
		look();
	})()`)
	const events = 3000
	for i := range events {
		relay.publish("demo", fmt.Sprintf("e%d", i), `{"text":"one of very many"}`)
	}
	b.Wait(`document.getElementById("counters").textContent.startsWith("3,000 received")`)
	before := browsertest.Eval[int](b, "pictures")
	b.Wait(fmt.Sprintf("pictures > %d", before)) // requestAnimationFrame answers: the page draws on
	if got := browsertest.Eval[int](b, "mostRows"); got == 0 || got > 200 {
		t.Errorf("the document held %d rows, want 1 to 200", got)
	}
	b.Wait(row("e2999"))
	b.Wait(`document.querySelector(".badge").textContent === "3,000"`)
	kept, let := 0, 0
	if _, err := fmt.Sscanf(strings.ReplaceAll(b.Text("counters"), ",", ""), "3000 received · %d in the list · %d older let go", &kept, &let); err != nil {
		t.Fatalf("the counters say %q: %v", b.Text("counters"), err)
	}
	if kept+let != events || kept > 2000 || kept < 1900 {
		t.Errorf("%d kept and %d let go of %d", kept, let, events)
	}
}

func TestPublishForm(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	b.Fill("publish-event", "test.sent")
	b.Fill("publish-data", `{"n":12345678901234567890}`)
	b.Press(kb.Enter, chromedp.KeyModifiers(2 /* Ctrl */))
	b.Wait(row("test.sent", "12345678901234567890"))
	b.Wait(`document.getElementById("publish-result").textContent.startsWith("Published 1795334400123-1-")`)
	if want := `{"channel":"demo","event":"test.sent","data":{"n":12345678901234567890}}`; relay.posts[0] != want {
		t.Errorf("posted %s, want %s", relay.posts[0], want)
	}

	b.Fill("publish-channel", "elsewhere")
	b.Press(kb.Enter)
	b.Wait(`document.getElementById("publish-result").textContent.includes("not subscribed to elsewhere")`)
}

func TestPublishFormShowsProblems(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)

	b.Fill("publish-data", `{"n": 1,}`)
	b.Press(kb.Enter, chromedp.KeyModifiers(2 /* Ctrl */))
	b.Wait(`document.getElementById("publish-problem").textContent.startsWith("Data is not JSON: ")`)
	b.Wait(`document.activeElement.id === "publish-data" && document.activeElement.getAttribute("aria-invalid") === "true"`)

	relay.set(func() {
		relay.answer = func(w http.ResponseWriter) {
			p := problem.New(http.StatusUnprocessableEntity, event.CodeInvalidRequest, "Nothing was published.")
			p.Errors = []problem.Item{{Pointer: "/data", Code: event.CodeDataTooLarge, Detail: "The data has 70000 bytes; 65536 are allowed."}}
			p.Write(w)
		}
	})
	b.Fill("publish-data", `{"n": 1}`)
	b.Press(kb.Enter, chromedp.KeyModifiers(2 /* Ctrl */))
	b.Wait(`document.getElementById("publish-result").dataset.kind === "failed"`)
	want := "422 Unprocessable Entity\nNothing was published.\n/data The data has 70000 bytes; 65536 are allowed."
	if got := b.Text("publish-result"); got != want {
		t.Errorf("the form says %q, want %q", got, want)
	}
	relay.set(func() {
		if len(relay.posts) != 1 {
			t.Errorf("what is no JSON was posted: %q", relay.posts)
		}
	})
}

func TestFormIsHiddenWithoutPublish(t *testing.T) {
	_, b := openPage(t, console.Options{APIURL: "https://api.example.com"}, "")
	b.Wait(subscribed)
	if browsertest.Eval[bool](b, `document.getElementById("publish").checkVisibility()`) {
		t.Error("the form is there, and the relay would refuse what it posts")
	}
}

func TestSubscribeAndUnsubscribe(t *testing.T) {
	relay, b := openPage(t, onLoopback, "#channel=orders.42&channel=chat%20%C3%BC")
	b.Wait(subscribed)
	b.Fill("subscribe-channel", "third"+kb.Enter)
	b.Wait(subscribed + ` && document.querySelectorAll(".chip").length === 3`)
	if got := browsertest.Eval[string](b, "new URLSearchParams(location.hash.slice(1)).getAll('channel').join()"); got != "orders.42,chat ü,third" {
		t.Errorf("the address names %s", got)
	}

	b.Must(chromedp.Click(chromedp.CSS(`[aria-label="Unsubscribe from orders.42"]`)))
	b.Until("the relay is told", func() bool {
		got := relay.got("unsubscribe")
		return len(got) == 1 && got[0].Channel == "orders.42"
	})
	if got := browsertest.Eval[string](b, "document.activeElement.closest('.chip')?.textContent ?? 'nowhere'"); !strings.Contains(got, "chat ü") {
		t.Errorf("the focus went to %s, not to the next chip", got)
	}

	b.Fill("subscribe-channel", "no*stars"+kb.Enter)
	b.Wait(`document.getElementById("subscribe-problem").checkVisibility()`)
	browsertest.Eval[any](b, `void (location.hash = "#channel=only")`)
	b.Wait(`document.querySelectorAll(".chip").length === 1 && ` + subscribed)
}

func TestForbiddenChannelSaysWhy(t *testing.T) {
	relay := newFakeRelay(t, onLoopback)
	relay.forbidden["secret"] = true
	b := chromium.Open(t, relay.URL+"/#channel=secret&channel=demo")
	b.Wait(`document.querySelector(".chip[data-state=refused]")?.textContent.includes("Not yours.")`)
	b.Wait(`document.querySelector(".chip[data-state=subscribed]")`)
	b.Wait(row("error", "secret", "forbidden: Not yours."))
	b.Must(chromedp.Click(chromedp.CSS(`.chip[data-state=refused] .chip-name`)))
	b.Wait(`!document.getElementById("welcome").checkVisibility()`) // it would say: listening on secret
}

func TestTokenIsAskedFor(t *testing.T) {
	relay := newFakeRelay(t, console.Options{TakesTokens: true})
	relay.token = "right"
	b := chromium.Open(t, relay.URL+"/")
	b.Wait(`document.getElementById("state").dataset.state === "token"`)
	b.Wait(`document.activeElement.id === "token" && document.activeElement.type === "password"`)
	if got := b.Text("trouble"); !strings.Contains(got, "asks for a client token") {
		t.Errorf("the page says %q", got)
	}
	b.Fill("token", "wrong"+kb.Enter)
	b.Wait(`document.getElementById("trouble").textContent.startsWith("The token was refused.")`)
	b.Fill("token", "right"+kb.Enter)
	b.Wait(subscribed)

	b.Must(chromedp.Reload())
	b.Wait(subscribed)
	if browsertest.Eval[bool](b, `(location.href + JSON.stringify(localStorage)).includes("right")`) {
		t.Error("the token is where it outlives the tab")
	}
}

func TestComesBackFromWhereItWas(t *testing.T) {
	tests := []struct {
		name  string
		leave func(*fakeRelay)
	}{
		{"as told by goodbye", func(r *fakeRelay) {
			r.say(frame{Type: "goodbye", Reason: "draining", ReconnectInMS: 1})
			r.closeAll(1001, "draining")
		}},
		{"going away", func(r *fakeRelay) { r.closeAll(1001, "draining") }},
		{"too slow", func(r *fakeRelay) { r.closeAll(4408, "too_slow") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			relay, b := openPage(t, onLoopback, "")
			b.Wait(subscribed)
			id := relay.publish("demo", "hello", `null`)
			b.Wait(row("hello"))
			tt.leave(relay)
			b.Until("the page subscribes again", func() bool { return len(relay.got("subscribe")) == 2 })
			if got := relay.got("subscribe")[1]; got.Since != id {
				t.Errorf("it came back since %q, want %q", got.Since, id)
			}
			b.Wait(subscribed)
		})
	}
}

func TestGoodbyeSaysWhenToComeBack(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	relay.say(frame{Type: "goodbye", Reason: "draining", ReconnectInMS: 3_600_000})
	relay.closeAll(1001, "draining")
	b.Wait(`document.getElementById("state-text").textContent === "Reconnecting"`)
	if got := b.Text("trip"); !strings.HasPrefix(got, "in 3") || len(got) != len("in 3600 s") {
		t.Errorf("told to come back in an hour, the page comes back %s", got)
	}
}

// TestStaysAway: after these codes a page that comes back by itself would
// only be refused again. The one new connection is the one we ask for.
func TestStaysAway(t *testing.T) {
	for _, code := range []websocket.StatusCode{1009, 4400, 4403} {
		t.Run(fmt.Sprint(int(code)), func(t *testing.T) {
			relay, b := openPage(t, onLoopback, "")
			b.Wait(subscribed)
			relay.say(frame{Type: "error", Code: "forbidden", Message: "Nothing here is for you."})
			relay.closeAll(code, "refused")
			b.Wait(`document.getElementById("state").dataset.state === "refused"`)
			if got := b.Text("trouble"); !strings.Contains(got, "Nothing here is for you.") {
				t.Errorf("the page says %q", got)
			}
			b.Click("connect")
			b.Wait(subscribed)
			if got := relay.got("subscribe"); len(got) != 2 {
				t.Errorf("there were %d subscriptions, want the first and the one asked for", len(got))
			}
		})
	}
}

func TestDisconnectButton(t *testing.T) {
	relay, b := openPage(t, onLoopback, "")
	b.Wait(subscribed)
	b.Click("connect")
	b.Wait(`document.getElementById("state-text").textContent === "Disconnected"`)
	b.Until("the relay sees it go", func() bool {
		relay.mu.Lock()
		defer relay.mu.Unlock()
		return len(relay.clients) == 0
	})
	b.Click("connect")
	b.Wait(subscribed)
}

func TestPublicPath(t *testing.T) {
	relay, b := openPage(t, console.Options{PublicPath: "/live", Publish: true, APIURL: "http://127.0.0.1:8081"}, "")
	b.Wait(subscribed)
	b.Click("publish-data")
	b.Press(kb.Enter, chromedp.KeyModifiers(2 /* Ctrl */))
	b.Wait(row("hello", "Hello from the console"))
	if got := b.Text("endpoint"); got != strings.Replace(relay.URL, "http", "ws", 1)+"/live/v1/ws" {
		t.Errorf("the page is connected to %s", got)
	}
}
