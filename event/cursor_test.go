package event_test

import (
	"fmt"
	"strings"
	"testing"

	"relay/event"
)

func position(t testing.TB, text string) event.Position {
	t.Helper()
	p, err := event.ParsePosition(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCursorOverOneChannel(t *testing.T) {
	want := position(t, "1795334400123-42-Xk3vQ9")
	c, err := event.ParseCursor(want.String())
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Single(); !ok || got != want {
		t.Errorf("Single: %v, %v", got, ok)
	}
	if got, ok := c.Find(event.HashChannel("a")); ok {
		t.Errorf("it names no channel, and yet has %v for one", got)
	}
}

func TestCursorOverSeveralChannels(t *testing.T) {
	channels := map[string]event.Position{
		"orders.42":      position(t, "1795334400123-42-Xk3vQ9"),
		"Räume für alle": position(t, "0-0-000000"),
		"z":              position(t, "9223372036854775807-9223372036854775807-zzzzzz"),
	}
	var text []byte
	for name, p := range channels {
		text = event.AppendCursorEntry(text, event.HashChannel(name), p)
	}
	c, err := event.ParseCursor(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range channels {
		if got, ok := c.Find(event.HashChannel(name)); !ok || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, ok, want)
		}
	}
	if got, ok := c.Find(event.HashChannel("another")); ok {
		t.Errorf("a channel that is not in it has %v", got)
	}
	if got, ok := c.Single(); ok {
		t.Errorf("Single: %v", got)
	}
}

// One entry is still a cursor that says which channel: a stream over two
// channels, of which one was refused, writes it.
func TestCursorWithOneEntry(t *testing.T) {
	want := position(t, "7-1-aaaaaa")
	c, err := event.ParseCursor(string(event.AppendCursorEntry(nil, event.HashChannel("a"), want)))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Find(event.HashChannel("a")); !ok || got != want {
		t.Errorf("Find: %v, %v", got, ok)
	}
	if got, ok := c.Single(); ok {
		t.Errorf("Single: %v", got)
	}
}

func TestZeroCursor(t *testing.T) {
	var c event.Cursor
	if p, ok := c.Single(); ok {
		t.Errorf("Single: %v", p)
	}
	if p, ok := c.Find(event.HashChannel("a")); ok {
		t.Errorf("Find: %v", p)
	}
}

func TestParseCursorRefuses(t *testing.T) {
	const entry = "AAAAAAAA.1-1-aaaaaa"
	for name, text := range map[string]string{
		"empty":                  "",
		"since=start":            "start",
		"no tag":                 "1-1",
		"two bare positions":     "1-1-aaaaaa~1-2-bbbbbb",
		"a point only":           ".",
		"no hash":                ".1-1-aaaaaa",
		"a short hash":           "AAAAAAA.1-1-aaaaaa",
		"a long hash":            "AAAAAAAAA.1-1-aaaaaa",
		"a hash in other base64": "AAAA+/AA.1-1-aaaaaa",
		"no position":            "AAAAAAAA.",
		"a bad position":         "AAAAAAAA.01-1-aaaaaa",
		"two points":             "AAAAAAAA..1-1-aaaaaa",
		"a point at the end":     entry + ".",
		"a separator first":      "~" + entry,
		"a separator last":       entry + "~",
		"two separators":         entry + "~~BBBBBBBB.1-1-aaaaaa",
		"one entry without hash": entry + "~1-1-aaaaaa",
		"the same twice":         entry + "~" + entry,
		"one channel twice":      entry + "~BBBBBBBB.1-1-aaaaaa~AAAAAAAA.1-2-bbbbbb",
		"white space":            entry + " ",
		"a line feed":            entry + "\n",
		"too long":               manyEntries(t, event.MaxCursorBytes+1),
	} {
		if c, err := event.ParseCursor(text); err == nil {
			t.Errorf("%s: %q is accepted as %+v", name, text, c)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: the error repeats %d bytes", name, len(err.Error()))
		}
	}
}

func TestLongestCursor(t *testing.T) {
	text := manyEntries(t, event.MaxCursorBytes)
	c, err := event.ParseCursor(text)
	if err != nil {
		t.Fatal(err)
	}
	for entry := range strings.SplitSeq(text, "~") {
		if _, ok := c.Find(event.ChannelHash([]byte(entry[:8]))); !ok {
			t.Errorf("%s is lost", entry)
		}
	}
}

// manyEntries returns a cursor of n bytes, well formed but for its length.
func manyEntries(t *testing.T, n int) string {
	t.Helper()
	var b []byte
	for i := 0; len(b) < n; i++ {
		h := event.ChannelHash([]byte(fmt.Sprintf("%08d", i)))
		// Entries of 20 bytes with their separator, the last one longer: digits fill what is left.
		time := "1"
		if left := n - len(b); left < 60 {
			time = strings.Repeat("1", min(left-len("~00000000.-1-aaaaaa"), 18))
		}
		b = event.AppendCursorEntry(b, h, position(t, time+"-1-aaaaaa"))
	}
	if len(b) != n {
		t.Fatalf("made %d bytes instead of %d", len(b), n)
	}
	return string(b)
}

// What is accepted has one text, and every part of it can be asked for.
func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{
		"1795334400123-42-Xk3vQ9", "0-0-000000", "", "start", ".", "~", "AAAAAAAA.1-1-aaaaaa",
		"AAAAAAAA.1-1-aaaaaa~-_AAAAAA.1-2-bbbbbb", "AAAAAAAA.1-1-aaaaaa~AAAAAAAA.1-1-aaaaaa", "AAAAAAAA.1-1-aaaaaa~",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := event.ParseCursor(text)
		if err != nil {
			return
		}
		if len(text) > event.MaxCursorBytes {
			t.Fatalf("%d bytes are accepted", len(text))
		}
		if p, ok := c.Single(); ok {
			if p.String() != text {
				t.Fatalf("%q was read as %q", text, p)
			}
			return
		}
		var again []byte
		for entry := range strings.SplitSeq(text, "~") {
			h := event.ChannelHash([]byte(entry[:8]))
			p, ok := c.Find(h)
			if !ok {
				t.Fatalf("%q has no position for %s", text, h)
			}
			again = event.AppendCursorEntry(again, h, p)
		}
		if string(again) != text {
			t.Fatalf("%q was read as %q", text, again)
		}
	})
}

// What AppendCursorEntry writes is read as it was.
func FuzzCursorRoundTrip(f *testing.F) {
	f.Add("a", "b", int64(1795334400123), uint64(42))
	f.Add("orders.42", "Räume für alle", int64(0), uint64(0))
	f.Add("a", "a", int64(1), uint64(1))
	f.Fuzz(func(t *testing.T, one, two string, ms int64, offset uint64) {
		// The range of Redis's clock and of what ParseEntryID reads.
		p := event.Position{Time: ms & (1<<63 - 1), Offset: offset & (1<<63 - 1), Tag: event.NewTag()}
		q := event.Position{Time: p.Time, Offset: p.Offset, Tag: event.NewTag()}
		h, i := event.HashChannel(one), event.HashChannel(two)
		text := event.AppendCursorEntry(event.AppendCursorEntry(nil, h, p), i, q)
		c, err := event.ParseCursor(string(text))
		if h == i {
			if err == nil {
				t.Fatalf("%q holds a channel twice and is accepted", text)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Find(h); !ok || got != p {
			t.Fatalf("%q: %v for %s", text, got, h)
		}
		if got, ok := c.Find(i); !ok || got != q {
			t.Fatalf("%q: %v for %s", text, got, i)
		}
	})
}
