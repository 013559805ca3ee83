// Package harness lets a program that is no test use the helpers of the tests.
package harness

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
)

// Harness is the testing.TB that the helpers of the tests ask for. It
// implements what they use; any other method panics, since the embedded TB is
// nil. The zero value is ready.
type Harness struct {
	testing.TB

	mu         sync.Mutex
	cleanups   []func()
	complaints []string
}

// Run runs f to its end, in a goroutine of its own: Fatal ends that and not
// the caller, who must still clean up.
func (h *Harness) Run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// Helper does nothing: there is no line to blame.
func (h *Harness) Helper() {}

// Cleanup runs f when the run ends.
func (h *Harness) Cleanup(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cleanups = append(h.cleanups, f)
}

// Errorf notes a complaint.
func (h *Harness) Errorf(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.complaints = append(h.complaints, fmt.Sprintf(format, args...))
}

// Fatal ends the calling goroutine, as in a test.
func (h *Harness) Fatal(args ...any) {
	h.Errorf("%s", fmt.Sprint(args...))
	runtime.Goexit()
}

// Fatalf ends the calling goroutine, as in a test.
func (h *Harness) Fatalf(format string, args ...any) {
	h.Errorf(format, args...)
	runtime.Goexit()
}

// TempDir makes a folder that is removed when the run ends.
func (h *Harness) TempDir() string {
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Close runs the cleanups, last first.
func (h *Harness) Close() {
	for {
		h.mu.Lock()
		n := len(h.cleanups)
		if n == 0 {
			h.mu.Unlock()
			return
		}
		f := h.cleanups[n-1]
		h.cleanups = h.cleanups[:n-1]
		h.mu.Unlock()
		f()
	}
}

// Complaints returns what Errorf and Fatal have noted since the last call.
func (h *Harness) Complaints() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.complaints
	h.complaints = nil
	return taken
}
