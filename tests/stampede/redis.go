package stampede

import (
	"bufio"
	"strconv"
	"strings"

	"relay/tests/redistest"
)

// calls is how often Redis was asked for what, by command; those of scripts
// count too.
type calls map[string]int64

// counted are the commands that matter here.
var counted = []string{"evalsha", "xadd", "xrange", "subscribe", "unsubscribe"}

// redisCalls reads INFO commandstats: "cmdstat_xadd:calls=3,usec=…". A server
// that does not answer, or was restarted, has none.
func redisCalls(s *redistest.Server) calls {
	c := make(calls)
	text, err := s.Text("INFO", "commandstats")
	if err != nil {
		return c
	}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, rest, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "cmdstat_"), ":calls=")
		number, _, _ := strings.Cut(rest, ",")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			c[name] = n
		}
	}
	return c
}

// minus is what was asked since before. A restart in between begins anew.
func (c calls) minus(before calls) calls {
	since := make(calls)
	for _, name := range counted {
		if since[name] = c[name] - before[name]; since[name] < 0 {
			since[name] = c[name]
		}
	}
	return since
}
