package sidecar

import "strings"

// document is one document of a file, as its lines with their endings.
type document struct {
	// number is from 1.
	number int
	lines  []string
	// numbers are those of the lines in the file as it came, from 1.
	numbers []int
}

// split cuts a file at its lines of three dashes. Nothing inside of a document
// can look like one: at the margin they end even a quoted text.
func split(text string) []document {
	var docs []document
	current := document{number: 1}
	number := 0
	for l := range strings.Lines(text) {
		number++
		if isSeparator(l) && len(current.lines) > 0 {
			docs = append(docs, current)
			next := current.number
			if !current.isEmpty() {
				next++
			}
			current = document{number: next}
		}
		current.lines = append(current.lines, l)
		current.numbers = append(current.numbers, number)
	}
	if len(current.lines) > 0 {
		docs = append(docs, current)
	}
	return docs
}

func isSeparator(line string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(line, byteOrderMark), "---")
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}

// isEmpty reports whether nothing but separators, directives, comments and
// blank lines is in it.
func (d *document) isEmpty() bool {
	for _, l := range d.lines {
		l = strings.TrimSpace(l)
		if l != "" && !isSeparator(l) && l[0] != '#' && l[0] != '%' {
			return false
		}
	}
	return true
}

func (d *document) text() string { return strings.Join(d.lines, "") }

// refuse makes a refusal of what stands in a line, from 1 in the document.
func (d *document) refuse(line int, text, hint string) *Refusal {
	line = min(max(line, 1), len(d.numbers))
	return &Refusal{Document: d.number, Line: d.numbers[line-1], Text: text, Hint: hint}
}

// byteOrderMark is what Windows editors put in front of a file.
const byteOrderMark = "\ufeff"

// plainText is the document with the line endings of Unix and without a byte
// order mark: the same lines for a parser that does not like the others.
func (d *document) plainText() string {
	return strings.ReplaceAll(strings.TrimPrefix(d.text(), byteOrderMark), "\r\n", "\n")
}

// content is a line without its ending.
func content(line string) string {
	if line, ok := strings.CutSuffix(line, "\n"); ok {
		return strings.TrimSuffix(line, "\r")
	}
	return line
}

// ending is how a line ends; "" is the end of the file.
func ending(line string) string { return line[len(content(line)):] }

// indentation is the white space in front of a line.
func indentation(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " "))]
}
