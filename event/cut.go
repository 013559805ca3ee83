package event

import "unicode/utf8"

// Cut returns the beginning of s: up to so many bytes, and not ending in
// the middle of a character.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// Clip is Cut for a stranger's text in a sentence: what was cut off shows.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return Cut(s, most) + "…"
}
