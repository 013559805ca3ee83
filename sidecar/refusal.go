package sidecar

import (
	"fmt"
	"strings"
)

// Refusal says why something cannot be done, and what to do about it.
type Refusal struct {
	// Document and Line, both from 1, are where; 0 if it is about no place.
	Document, Line int
	Text, Hint     string
}

func (r *Refusal) Error() string {
	if r.Line == 0 {
		return r.Text
	}
	return fmt.Sprintf("line %d (document %d): %s", r.Line, r.Document, r.Text)
}

// Refusals are all that stand in the way, so that one run tells all.
type Refusals []*Refusal

func (rs Refusals) Error() string {
	lines := make([]string, len(rs))
	for i, r := range rs {
		lines[i] = r.Error()
	}
	return strings.Join(lines, "\n")
}
