package event_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"relay/event"
)

func TestCheckChannel(t *testing.T) {
	for _, name := range []string{
		"a", "orders.42", "Räume für alle", "日本語", "a/b:c?d[e]", "h", strings.Repeat("x", 255), "a_b", "<script>", "a\\b", "😀",
	} {
		if err := event.CheckChannel(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", " a", "a ", "\u00a0a", "a*", "{a}", "a}", "_a", "a\x00", "a\nb", "a\x7f", "a\u0085b", "\xff", strings.Repeat("x", 256),
	} {
		if err := event.CheckChannel(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, channel string
		match            bool
	}{
		{"*", "a", true}, {"a*", "a", true}, {"a*", "abc", true}, {"a*", "ba", false},
		{"orders.*", "orders.42", true}, {"orders.*", "orders", false}, {"orders", "orders", true}, {"orders", "orders.42", false},
		{"räume *", "räume 1", true},
	} {
		p, err := event.ParsePattern(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
		}
		if p.Match(c.channel) != c.match {
			t.Errorf("%q matches %q: %v", c.pattern, c.channel, !c.match)
		}
	}
	for _, text := range []string{"", "a**", "*a", "a*b", "{*", "_x*", "_*", "\xff*", " a*", "a\n*", strings.Repeat("x", 256) + "*", "a "} {
		if _, err := event.ParsePattern(text); err == nil {
			t.Errorf("pattern %q is accepted", text)
		}
	}
}

// A pattern matches what it says, and a name that may be a channel is a
// pattern that matches itself and nothing else.
func FuzzPattern(f *testing.F) {
	f.Add("orders.*", "orders.42")
	f.Add("*", "")
	f.Add("a", "a")
	f.Add("räume *", "räume 1")
	f.Fuzz(func(t *testing.T, text, name string) {
		if event.CheckChannel(name) == nil {
			if !utf8.ValidString(name) || len(name) > event.MaxChannelBytes || strings.ContainsAny(name, "*{}\r\n\x00") {
				t.Fatalf("channel %q is accepted", name)
			}
			if p, err := event.ParsePattern(name); err != nil || !p.Match(name) || p.Match(name+"x") {
				t.Fatalf("channel %q as a pattern: %v", name, err)
			}
		}
		p, err := event.ParsePattern(text)
		if err != nil {
			return
		}
		prefix, wild := strings.CutSuffix(text, "*")
		if want := name == text && !wild || wild && strings.HasPrefix(name, prefix); p.Match(name) != want {
			t.Fatalf("%q matches %q: %v", text, name, !want)
		}
		if p.Match("_control") && text != "*" {
			t.Fatalf("%q matches the relay's own channel", text)
		}
	})
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"x", "order.paid", "größer als", "日本", strings.Repeat("x", 128)} {
		if err := event.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "a\nb", "\x00", "\xff", strings.Repeat("x", 129), "a\u200b"} {
		if err := event.CheckName(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func FuzzPosition(f *testing.F) {
	for _, seed := range []string{"1795334400123-42-Xk3vQ9", "0-0-000000", "9223372036854775807-9223372036854775807-zzzzzz", "1-2-3", "01-1-aaaaaa", "-1-1-aaaaaa", "1--aaaaaa", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := event.ParsePosition(text)
		if err == nil && p.String() != text {
			t.Fatalf("%q was read as %q", text, p)
		}
	})
}

func TestTags(t *testing.T) {
	seen := make(map[event.Tag]bool)
	counts := make(map[byte]int)
	twice := 0
	for range 10_000 {
		tag := event.NewTag()
		if _, err := event.ParseTag(tag.String()); err != nil {
			t.Fatal(err)
		}
		if seen[tag] {
			twice++
		}
		seen[tag] = true
		for _, c := range tag {
			counts[c]++
		}
	}
	// One in a thousand such runs sees a tag twice, one in ten thousand million sees four.
	if twice > 3 {
		t.Errorf("%d tags of ten thousand came before", twice)
	}
	// 60 000 characters of 62 kinds: about 968 of each, and a bias as by
	// taking a byte modulo 62 would show as 1172 of the first eight.
	for c, n := range counts {
		if n < 780 || n > 1130 {
			t.Errorf("%q came %d times of 60 000", c, n)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d kinds of characters", len(counts))
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text      string
		most      int
		cut, clip string
	}{
		{"", 0, "", ""}, {"abc", 3, "abc", "abc"}, {"abcd", 3, "abc", "abc…"},
		{"aéb", 2, "a", "a…"}, {"aéb", 3, "aé", "aé…"}, {"😀", 3, "", "…"}, {"\xff\xff", 1, "\xff", "\xff…"},
	} {
		if cut, clip := event.Cut(c.text, c.most), event.Clip(c.text, c.most); cut != c.cut || clip != c.clip {
			t.Errorf("%q to %d: %q and %q", c.text, c.most, cut, clip)
		}
	}
}
