package event

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckChannel says whether name may be a channel's name, and if not, why.
// The rules keep a name safe in a Redis key (no braces: they would move it to
// another Cluster slot), apart from patterns (no asterisk), and readable.
func CheckChannel(name string) error {
	if err := checkChannelText(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, "_") {
		return errors.New("names that begin with _ are the relay's own; choose another first character")
	}
	return nil
}

func checkChannelText(name string) error {
	if name == "" {
		return errors.New("a channel needs a name")
	}
	if len(name) > MaxChannelBytes {
		return fmt.Errorf("a channel name has at most %d bytes; this one has %d", MaxChannelBytes, len(name))
	}
	if !utf8.ValidString(name) {
		return errors.New("a channel name must be valid UTF-8")
	}
	for _, r := range name {
		switch {
		case unicode.IsControl(r):
			return fmt.Errorf("a channel name must not hold control characters; this one holds %U", r)
		case r == '*' || r == '{' || r == '}':
			return fmt.Errorf("a channel name must not hold %q", r)
		}
	}
	if strings.TrimSpace(name) != name {
		return errors.New("a channel name must not begin or end with white space")
	}
	return nil
}

// Pattern names channels: one by its name, or all whose names begin with the
// text before a final asterisk. "*" is every channel a client may name.
type Pattern string

// ParsePattern checks the text of a pattern.
func ParsePattern(s string) (Pattern, error) {
	prefix, wild := strings.CutSuffix(s, "*")
	if !wild {
		if err := CheckChannel(s); err != nil {
			return "", fmt.Errorf("pattern %q: %w", clip(s), err)
		}
		return Pattern(s), nil
	}
	if prefix == "" {
		return Pattern(s), nil
	}
	// White space at the end of the prefix is in the middle of the names it stands for.
	if err := CheckChannel(strings.TrimRightFunc(prefix, unicode.IsSpace)); err != nil {
		return "", fmt.Errorf("pattern %q: %w", clip(s), err)
	}
	if len(prefix) > MaxChannelBytes {
		return "", fmt.Errorf("pattern %q: longer than any channel name", clip(s))
	}
	if strings.ContainsFunc(prefix, unicode.IsControl) {
		return "", fmt.Errorf("pattern %q: control characters cannot stand in a channel name", clip(s))
	}
	return Pattern(s), nil
}

// Match reports whether the pattern names the channel.
func (p Pattern) Match(channel string) bool {
	prefix, wild := strings.CutSuffix(string(p), "*")
	if wild {
		return strings.HasPrefix(channel, prefix)
	}
	return string(p) == channel
}

// CheckName says whether name may be an event's name, and if not, why.
func CheckName(name string) error {
	if name == "" {
		return errors.New("an event needs a name")
	}
	if len(name) > MaxNameBytes {
		return fmt.Errorf("an event name has at most %d bytes; this one has %d", MaxNameBytes, len(name))
	}
	if !utf8.ValidString(name) {
		return errors.New("an event name must be valid UTF-8")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("an event name holds printable characters only; this one holds %U", r)
		}
	}
	return nil
}
