// Package load makes the load of the load tester: a crowd of clients that
// follow channels, and publishers that post to them. It speaks HTTP,
// WebSocket and EventSource to a relay as an outsider does, and cheaply, so
// that what is measured is the relay.
//
// Every event carries in its data a lane, its number on that lane and the
// time of its POST; clients check the numbers and count the time.
package load

import "time"

// started is when this process began to count time.
var started = time.Now()

// now is the time in nanoseconds since 1970, by a clock that never steps.
// Processes of one machine agree on it, unless its clock was set while the
// test ran.
func now() int64 { return started.UnixNano() + int64(time.Since(started)) }
