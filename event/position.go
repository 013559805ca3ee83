package event

import (
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
)

// Tag is six random base62 characters that make an event itself and no other.
// Offsets repeat when history is lost (a failover, a flush); tags do not.
type Tag [6]byte

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// RandomText returns n characters of base62 from the system's random source,
// 5.95 bits each.
func RandomText(n int) string {
	out := make([]byte, 0, n)
	var pool [64]byte
	for {
		rand.Read(pool[:]) // never fails: crypto/rand aborts the program instead
		for _, b := range pool {
			// 248 is the largest multiple of 62 in a byte; beyond it the first
			// characters would come up more often than the rest.
			if b >= 248 {
				continue
			}
			out = append(out, base62[b%62])
			if len(out) == n {
				return string(out)
			}
		}
	}
}

// allTags is how many tags there are.
const allTags = 62 * 62 * 62 * 62 * 62 * 62

// NewTag makes a tag. The relay that publishes makes it, not Redis: a script's
// random numbers repeat after a restart of the server. A tag must be unlike
// others and need not be secret, so the generator that every process seeds
// from the system's random source will do; one is made for each event.
func NewTag() (t Tag) {
	n := mathrand.Uint64N(allTags)
	for i := range t {
		t[i] = base62[n%62]
		n /= 62
	}
	return t
}

func (t Tag) String() string { return string(t[:]) }

// ParseTag reads a tag as String writes it.
func ParseTag(s string) (Tag, error) {
	if len(s) != len(Tag{}) {
		return Tag{}, fmt.Errorf("tag %q: want %d characters", clip(s), len(Tag{}))
	}
	for i := range len(s) {
		if !isBase62(s[i]) {
			return Tag{}, fmt.Errorf("tag %q: only letters and digits may stand in it", s)
		}
	}
	return Tag([]byte(s)), nil
}

func isBase62(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// Position says where an event stands in its channel. Its text form is
// "<ms>-<offset>-<tag>"; the first two parts are the event's entry ID in the
// channel's Redis stream.
type Position struct {
	// Time is the event's time by Redis's clock, in milliseconds since 1970.
	// It never steps back within a channel's history.
	Time int64
	// Offset counts the channel's events: 1, 2, 3 … It is 0 only in the head
	// of a history that has no event yet.
	Offset uint64
	Tag    Tag
}

// IsZero reports whether p is no position at all.
func (p Position) IsZero() bool { return p == Position{} }

// Append appends p's text to b.
func (p Position) Append(b []byte) []byte {
	b = strconv.AppendInt(b, p.Time, 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, p.Offset, 10)
	b = append(b, '-')
	return append(b, p.Tag[:]...)
}

func (p Position) String() string {
	if p.IsZero() {
		return ""
	}
	return string(p.Append(make([]byte, 0, 40)))
}

var errPosition = errors.New("a position looks like 1795334400123-42-Xk3vQ9")

// ParsePosition reads a position as String writes it. There is one text for a
// position: leading zeros and signs are refused.
func ParsePosition(s string) (Position, error) {
	ms, rest, ok1 := strings.Cut(s, "-")
	offset, tag, ok2 := strings.Cut(rest, "-")
	if !ok1 || !ok2 {
		return Position{}, fmt.Errorf("position %q: %w", clip(s), errPosition)
	}
	entry, err := ParseEntryID(ms, offset)
	if err != nil {
		return Position{}, fmt.Errorf("position %q: %w", clip(s), err)
	}
	if entry.Tag, err = ParseTag(tag); err != nil {
		return Position{}, fmt.Errorf("position %q: %w", clip(s), err)
	}
	return entry, nil
}

// ParseEntryID reads the two numbers of a stream entry's ID and returns the
// position that has them, without its tag.
func ParseEntryID(ms, offset string) (Position, error) {
	t, err := parseDecimal(ms, 1<<63-1)
	if err != nil {
		return Position{}, err
	}
	o, err := parseDecimal(offset, 1<<63-1)
	if err != nil {
		return Position{}, err
	}
	return Position{Time: int64(t), Offset: o}, nil
}

func parseDecimal(s string, limit uint64) (uint64, error) {
	if s == "" || (len(s) > 1 && s[0] == '0') {
		return 0, errPosition
	}
	var n uint64
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, errPosition
		}
		d := uint64(c - '0')
		if n > (limit-d)/10 {
			return 0, errPosition
		}
		n = n*10 + d
	}
	return n, nil
}

// clip keeps a stranger's text short in error messages.
func clip(s string) string { return Clip(s, 64) }
