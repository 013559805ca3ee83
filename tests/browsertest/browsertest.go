// Package browsertest drives a real Chromium for tests of pages.
package browsertest

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
)

// Patience bounds a wait for something that must happen; only a broken page
// or a machine that stands still reaches it.
const Patience = time.Minute

// Browser is one Chromium. Tests of a package share it; each tab has a window
// with storage of its own.
type Browser struct {
	ctx context.Context
	end func()
}

// Start starts Chromium, headless.
func Start() (*Browser, error) {
	profile, err := os.MkdirTemp("", "relay-browser-")
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
	b := &Browser{ctx: ctx, end: func() {
		closeContext()
		closeAllocator()
		_ = os.RemoveAll(profile)
	}}
	if err := chromedp.Do(ctx); err != nil {
		b.Close()
		return nil, fmt.Errorf("chromium does not start (`make setup` installs it): %w", err)
	}
	return b, nil
}

// Close ends the browser.
func (b *Browser) Close() { b.end() }

// Main is the TestMain of a package that needs one browser: it starts it,
// hands it over, runs the tests and ends it.
func Main(m *testing.M, hand func(*Browser)) int {
	b, err := Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "The tests of this package need a browser:", err)
		return 1
	}
	defer b.Close()
	hand(b)
	return m.Run()
}

// Tab is one window with a page in it.
type Tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	exceptions []string
}

// hearViolations makes the browser keep what the page's policy forbade.
const hearViolations = `window.violations = [];
addEventListener("securitypolicyviolation", (e) => violations.push(e.effectiveDirective + " " + e.blockedURI));`

// Open opens an address. At the end of the test nothing may have been thrown
// in the page, nor anything been forbidden by its policy.
func (b *Browser) Open(t testing.TB, url string) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	tab := &Tab{t: t, ctx: ctx}
	// The first action opens the window, which lives no longer than its context.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	tab.Must(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
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
				tab.mu.Lock()
				tab.exceptions = append(tab.exceptions, m.String())
				tab.mu.Unlock()
			}
		}
	}()
	tab.Must(chromedp.Navigate(url))
	t.Cleanup(tab.checkClean)
	return tab
}

func (b *Tab) checkClean() {
	if found := Eval[[]string](b, "violations"); len(found) > 0 {
		b.t.Errorf("the page's policy was violated: %s", strings.Join(found, "; "))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.exceptions {
		b.t.Errorf("thrown in the page: %s", e)
	}
}

// Must carries actions out, or fails the test.
func (b *Tab) Must(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// Eval returns the value of a JavaScript expression, awaited if it is a promise.
func Eval[T any](b *Tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Wait waits until a JavaScript expression is true.
func (b *Tab) Wait(expression string) {
	b.t.Helper()
	b.Until(expression, func() bool { return Eval[bool](b, "Boolean("+expression+")") })
}

// Until waits until the condition, which the text describes, is true.
func (b *Tab) Until(text string, condition func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); {
		if time.Now().After(deadline) {
			b.t.Fatalf("it never came to be that %s; the page says:\n%s", text, Eval[string](b, "document.body.innerText"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Text returns the text of the element with this id.
func (b *Tab) Text(id string) string {
	b.t.Helper()
	return Eval[string](b, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// Click clicks the element with this id, as a mouse would.
func (b *Tab) Click(id string) {
	b.t.Helper()
	b.Must(chromedp.Click(chromedp.ID(id)))
}

// Fill replaces the text of a field, as typing would.
func (b *Tab) Fill(id, text string) {
	b.t.Helper()
	b.Must(
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.getElementById(%q).select()", id)),
		chromedp.SendKeys(chromedp.ID(id), text))
}

// Press presses keys, wherever the focus is.
func (b *Tab) Press(keys string, opts ...chromedp.KeyOption) {
	b.t.Helper()
	b.Must(chromedp.KeyEvent(keys, opts...))
}
