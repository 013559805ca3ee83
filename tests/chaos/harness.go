package chaos

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
)

// harness is the testing.TB that the helpers of the tests ask for, in a
// program that is no test. It implements what they use; any other method
// panics, since the embedded TB is nil.
type harness struct {
	testing.TB

	mu         sync.Mutex
	cleanups   []func()
	complaints []string
}

func (h *harness) Helper() {}

// Cleanup runs f when the run ends.
func (h *harness) Cleanup(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cleanups = append(h.cleanups, f)
}

func (h *harness) Errorf(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.complaints = append(h.complaints, fmt.Sprintf(format, args...))
}

// Fatal ends the calling goroutine, as in a test.
func (h *harness) Fatal(args ...any) {
	h.Errorf("%s", fmt.Sprint(args...))
	runtime.Goexit()
}

func (h *harness) Fatalf(format string, args ...any) {
	h.Errorf(format, args...)
	runtime.Goexit()
}

func (h *harness) TempDir() string {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// close runs the cleanups, last first.
func (h *harness) close() {
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

func (h *harness) takeComplaints() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.complaints
	h.complaints = nil
	return taken
}
