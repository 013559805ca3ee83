package console_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"relay/console"
)

// patience bounds a wait for something that must happen; only a broken page
// or a machine that stands still reaches it.
const patience = time.Minute

// browser is one Chromium for all tests of this package; each test has a
// window with storage of its own.
type browser struct {
	ctx   context.Context
	close func()
}

var chromium *browser

func TestMain(m *testing.M) {
	b, err := startBrowser()
	if err != nil {
		fmt.Fprintln(os.Stderr, "The tests of the page need Chromium, and it does not start (apt-get install chromium):", err)
		os.Exit(1)
	}
	chromium = b
	code := m.Run()
	b.close()
	os.Exit(code)
}

func startBrowser() (*browser, error) {
	profile, err := os.MkdirTemp("", "relay-console-")
	if err != nil {
		return nil, err
	}
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		// /dev/shm of a container is often too small for a browser.
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(1280, 860),
		chromedp.UserDataDir(profile))
	ctx, closeContext := chromedp.NewContext(allocator)
	b := &browser{ctx: ctx, close: func() {
		closeContext()
		closeAllocator()
		_ = os.RemoveAll(profile)
	}}
	if err := chromedp.Do(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// tab is one window with the page in it.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	exceptions []string
}

// hearViolations makes the browser keep what the page's policy forbade.
const hearViolations = `window.violations = [];
addEventListener("securitypolicyviolation", (e) => violations.push(e.effectiveDirective + " " + e.blockedURI));`

// openPage opens the page of a new fake relay, at an address that ends in hash.
func openPage(t *testing.T, o console.Options, hash string) (*fakeRelay, *tab) {
	t.Helper()
	relay := newFakeRelay(t, o)
	return relay, openTab(t, relay.URL+o.PublicPath+"/"+hash)
}

// openTab opens an address. At the end of the test nothing may have been
// thrown in the page, nor anything been forbidden by its policy.
func openTab(t *testing.T, url string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	// The first action opens the window, which lives no longer than its context.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	b.must(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: hearViolations})
		return err
	}))
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() {
				b.mu.Lock()
				b.exceptions = append(b.exceptions, m.String())
				b.mu.Unlock()
			}
		}
	}()
	b.must(chromedp.Navigate(url))
	t.Cleanup(b.checkClean)
	return b
}

func (b *tab) checkClean() {
	if found := eval[[]string](b, "violations"); len(found) > 0 {
		b.t.Errorf("the page's policy was violated: %s", strings.Join(found, "; "))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.exceptions {
		b.t.Errorf("thrown in the page: %s", e)
	}
}

func (b *tab) must(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// wait waits until a JavaScript expression is true.
func (b *tab) wait(expression string) {
	b.t.Helper()
	b.until(expression, func() bool { return eval[bool](b, "Boolean("+expression+")") })
}

// until waits until the condition, which the text describes, is true.
func (b *tab) until(text string, condition func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !condition(); {
		if time.Now().After(deadline) {
			b.t.Fatalf("it never came to be that %s; the page says:\n%s", text, eval[string](b, "document.body.innerText"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// text returns the text of the element with this id.
func (b *tab) text(id string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// click clicks the element with this id, as a mouse would.
func (b *tab) click(id string) {
	b.t.Helper()
	b.must(chromedp.Click(chromedp.ID(id)))
}

// fill replaces the text of a field, as typing would.
func (b *tab) fill(id, text string) {
	b.t.Helper()
	b.must(
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.getElementById(%q).select()", id)),
		chromedp.SendKeys(chromedp.ID(id), text))
}

// press presses keys, wherever the focus is.
func (b *tab) press(keys string, opts ...chromedp.KeyOption) {
	b.t.Helper()
	b.must(chromedp.KeyEvent(keys, opts...))
}
