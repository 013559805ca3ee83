// Package floor is the least program that can do a relay's work: it shows what
// the kernel alone costs on a machine, so that a relay can be measured against
// it in the same minute.
//
// Run is one thread with raw epoll. For an event it makes the frame once, with
// as many bytes as the relay's, and one write(2) for each subscriber. It
// checks nothing, keeps nothing and knows no Redis; it understands only what
// package load sends. Noop is the least HTTP handler on the libraries that the
// relay is built with.
package floor

import (
	"encoding/json"
	"fmt"
	"io"
)

// announce says, in the words of the relay's own log, where a program listens.
func announce(w io.Writer, addr string) error {
	line, err := json.Marshal(map[string]string{"msg": "listening", "public": addr, "api": addr})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", line)
	return err
}
