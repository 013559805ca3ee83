package event

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ChannelHash stands for a channel's name in a cursor over several channels.
// Two names of one client's stream would have to collide in 48 bits to be
// confused, and then the tags of their positions still differ.
type ChannelHash [8]byte

// HashChannel makes the hash of a name: 48 bits of SHA-256 in URL-safe base64.
func HashChannel(name string) ChannelHash {
	sum := sha256.Sum256([]byte(name))
	var h ChannelHash
	base64.RawURLEncoding.Encode(h[:], sum[:6])
	return h
}

// parseHash reads a hash as HashChannel writes it.
func parseHash(s string) (ChannelHash, error) {
	if len(s) != len(ChannelHash{}) {
		return ChannelHash{}, errCursor
	}
	for i := range len(s) {
		if !isBase62(s[i]) && s[i] != '-' && s[i] != '_' {
			return ChannelHash{}, errCursor
		}
	}
	return ChannelHash([]byte(s)), nil
}

// AppendCursorEntry adds one channel's position to the text of a cursor over
// several channels: "HASH.POSITION", joined by "~". (The cursor of a stream
// over one channel is that channel's position and nothing else.)
func AppendCursorEntry(b []byte, h ChannelHash, p Position) []byte {
	if len(b) > 0 {
		b = append(b, '~')
	}
	b = append(b, h[:]...)
	b = append(b, '.')
	return p.Append(b)
}

// Cursor is the text a client hands back to resume, read: one position that
// names no channel, or positions by the hash of their channel. The zero Cursor
// holds none.
type Cursor struct {
	single  Position
	entries []cursorEntry
}

type cursorEntry struct {
	hash     ChannelHash
	position Position
}

// Single returns the position of a cursor over one channel, the form that
// does not say which channel.
func (c Cursor) Single() (Position, bool) { return c.single, !c.single.IsZero() }

// Find returns the position that a cursor over several channels has for the
// channel with this hash. It finds nothing in a cursor over one channel.
func (c Cursor) Find(h ChannelHash) (Position, bool) {
	for _, e := range c.entries {
		if e.hash == h {
			return e.position, true
		}
	}
	return Position{}, false
}

var errCursor = errors.New("a cursor is the last id of a stream, handed back as it was")

// ParseCursor reads a cursor: a bare position, or what AppendCursorEntry
// wrote. A stranger may have made it up, so its length is bounded by
// MaxCursorBytes, and a channel that stands in it twice is an error rather
// than a choice.
func ParseCursor(s string) (Cursor, error) {
	if len(s) > MaxCursorBytes {
		return Cursor{}, fmt.Errorf("a cursor has at most %d bytes; this one has %d", MaxCursorBytes, len(s))
	}
	// No position holds a point, and each entry holds one.
	if !strings.Contains(s, ".") {
		p, err := ParsePosition(s)
		if err != nil {
			return Cursor{}, fmt.Errorf("cursor: %w", err)
		}
		return Cursor{single: p}, nil
	}
	c := Cursor{entries: make([]cursorEntry, 0, 1+strings.Count(s, "~"))}
	for text := range strings.SplitSeq(s, "~") {
		if err := c.add(text); err != nil {
			return Cursor{}, fmt.Errorf("cursor entry %q: %w", clip(text), err)
		}
	}
	return c, nil
}

// add reads "HASH.POSITION" into the cursor.
func (c *Cursor) add(text string) error {
	hash, position, _ := strings.Cut(text, ".")
	h, err := parseHash(hash)
	if err != nil {
		return err
	}
	p, err := ParsePosition(position)
	if err != nil {
		return err
	}
	if _, twice := c.Find(h); twice {
		return errors.New("its channel came before")
	}
	c.entries = append(c.entries, cursorEntry{h, p})
	return nil
}
