// Package process looks at the processes of a test from outside: what CPU
// time and memory they use, and what their metrics say. It also starts and
// ends those that belong to the test.
package process

import (
	"errors"
	"time"
)

// Usage is CPU time that was used.
type Usage struct {
	User   time.Duration
	System time.Duration
}

// Total is both together.
func (u Usage) Total() time.Duration { return u.User + u.System }

// Since is what was used after an earlier look. Of little time the parts are
// only an estimate; the total is exact.
func (u Usage) Since(earlier Usage) Usage {
	total := u.Total() - earlier.Total()
	user := min(max(u.User-earlier.User, 0), total)
	return Usage{User: user, System: total - user}
}

// ErrUnsupported says that this system does not tell about other processes in
// a way that is known here.
var ErrUnsupported = errors.New("CPU and memory of a process can only be read on Linux")
