package chaos

import (
	"fmt"
	"strconv"
	"strings"
)

// position is an event's id, read as the contract writes it:
// "<ms>-<offset>-<tag>".
type position struct {
	ms     int64
	offset uint64
	tag    [6]byte
}

func parsePosition(s string) (position, error) {
	var p position
	ms, rest, _ := strings.Cut(s, "-")
	offset, tag, _ := strings.Cut(rest, "-")
	var err1, err2 error
	p.ms, err1 = strconv.ParseInt(ms, 10, 64)
	p.offset, err2 = strconv.ParseUint(offset, 10, 64)
	if err1 != nil || err2 != nil || copy(p.tag[:], tag) != len(p.tag) || len(tag) != len(p.tag) {
		return position{}, fmt.Errorf("%q is not an id like 1795334400123-42-Xk3vQ9", s)
	}
	return p, nil
}

func (p position) String() string {
	if p == (position{}) {
		return "(none)"
	}
	return fmt.Sprintf("%d-%d-%s", p.ms, p.offset, p.tag[:])
}
