package sidecar

import "strings"

// What Inject writes stands between these two comments, so that it can be
// found again whatever it holds.
const (
	beginMark = "# relay inject: begin"
	beginLine = beginMark + " (do not edit: relay inject writes this anew, and takes it out with --uninject)"
	endMark   = "# relay inject: end"
	// wasMark keeps a line that had to make room, to the last space.
	wasMark = "# relay inject: was:"
)

// block is what Inject wrote once: lines from the begin mark to the end mark,
// both included, counted from 0.
type block struct{ first, last int }

// blocks finds what is between marks.
func (d *document) blocks() ([]block, *Refusal) {
	const hint = "take out by hand what is left of the sidecar and its marks"
	var found []block
	first := -1
	for i, line := range d.lines {
		line = strings.TrimLeft(line, " ")
		switch {
		case strings.HasPrefix(line, beginMark):
			if first >= 0 {
				return nil, d.refuse(first+1, "what begins here has no end", hint)
			}
			first = i
		case strings.HasPrefix(line, endMark):
			if first < 0 {
				return nil, d.refuse(i+1, "what ends here has no beginning", hint)
			}
			found = append(found, block{first, i})
			first = -1
		}
	}
	if first >= 0 {
		return nil, d.refuse(first+1, "what begins here has no end", hint)
	}
	return found, nil
}

// without returns the document as it was before the blocks.
func (d *document) without(blocks []block) document {
	clean := document{number: d.number}
	next := 0
	for _, b := range blocks {
		clean.take(d, next, b.first)
		was, replaced := d.was(b)
		switch {
		case replaced:
			clean.lines = append(clean.lines, was)
			clean.numbers = append(clean.numbers, d.numbers[b.first])
		case ending(d.lines[b.last]) == "" && len(clean.lines) > 0:
			// It was put behind a file that ended without a line break.
			last := &clean.lines[len(clean.lines)-1]
			*last = content(*last)
		}
		next = b.last + 1
	}
	clean.take(d, next, len(d.lines))
	return clean
}

// take appends lines of another document, from one to before the other.
func (d *document) take(from *document, first, end int) {
	d.lines = append(d.lines, from.lines[first:end]...)
	d.numbers = append(d.numbers, from.numbers[first:end]...)
}

// was returns the line that a block stands for.
func (d *document) was(b block) (line string, replaced bool) {
	for _, l := range d.lines[b.first:b.last] {
		if was, ok := strings.CutPrefix(strings.TrimLeft(content(l), " "), wasMark); ok {
			return was + ending(d.lines[b.last]), true
		}
	}
	return "", false
}

// edit is one change of a document.
type edit struct {
	// line is the one, from 0, in front of which the lines are put, or the one
	// that they stand for if replace. Nothing is put in front of line 0.
	line    int
	replace bool
	indent  string
	lines   []string
}

// apply makes the edits, which are in the order of their lines. Lines of the
// result have no numbers.
func (d *document) apply(edits []edit) document {
	changed := document{number: d.number}
	next := 0
	for _, e := range edits {
		changed.lines = append(changed.lines, d.lines[next:e.line]...)
		next = e.line
		if e.replace {
			next++
		} else if last := &changed.lines[len(changed.lines)-1]; ending(*last) == "" {
			*last += d.newline(e.line - 1)
		}
		changed.lines = append(changed.lines, d.block(e)...)
	}
	changed.lines = append(changed.lines, d.lines[next:]...)
	return changed
}

// block writes an edit between its marks, with the line endings of its
// neighbour; without one where the file has none.
func (d *document) block(e edit) []string {
	lines := []string{e.indent + beginLine}
	if e.replace {
		lines = append(lines, e.indent+wasMark+content(d.lines[e.line]))
	}
	lines = append(append(lines, e.lines...), e.indent+endMark)
	neighbour := e.line
	if !e.replace {
		neighbour--
	}
	newline := d.newline(neighbour)
	for i := range lines {
		lines[i] += newline
	}
	if ending(d.lines[neighbour]) == "" {
		last := &lines[len(lines)-1]
		*last = content(*last)
	}
	return lines
}

// newline is how a line ends, or the one before it if it is the last.
func (d *document) newline(line int) string {
	for ; line >= 0; line-- {
		if end := ending(d.lines[line]); end != "" {
			return end
		}
	}
	return "\n"
}
