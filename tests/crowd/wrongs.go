package crowd

import (
	"fmt"
	"sync"
)

// wrongs collects violations. Thousands of clients can see the same one.
type wrongs struct {
	mu    sync.Mutex
	count int
	list  []string
}

// maxWrongs bounds what is printed.
const maxWrongs = 50

func (w *wrongs) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	if len(w.list) < maxWrongs {
		w.list = append(w.list, fmt.Sprintf(format, args...))
	}
}

func (w *wrongs) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if more := w.count - len(w.list); more > 0 {
		return append(w.list, fmt.Sprintf("and %d more", more))
	}
	return w.list
}
