package sidecar

import "strings"

// node is a piece of the description of the container: a field, an item of a
// list, or something that is repeated.
type node struct {
	// key is empty for an item of a list.
	key string
	// value is what a leaf holds; children are a mapping's fields or, if list,
	// a list's items.
	value    text
	children []node
	list     bool
	// why stands above it as a comment.
	why string
	// when says whether it is there at all; always, if it is zero.
	when condition
	// each, if set, replaces the node by others.
	each *each
}

// text is a scalar, as both renderings write it.
type text struct {
	plain func(s *shape) string
	helm  string
}

// condition is what a node depends on; helm is the pipeline of an if.
type condition struct {
	plain func(s *shape) bool
	helm  string
}

// each repeats a node; helm is the pipeline of a range, in which item is
// written once.
type each struct {
	plain func(s *shape) []node
	helm  string
	item  node
}

func leaf(key, value string) node { return vary(key, fixed(value)) }

func vary(key string, value text) node { return node{key: key, value: value} }

func mapping(key string, fields ...node) node { return node{key: key, children: fields} }

func list(key string, items ...node) node { return node{key: key, children: items, list: true} }

func item(fields ...node) node { return node{children: fields} }

func (n node) because(why string) node {
	n.why = why
	return n
}

func (n node) onlyIf(c condition) node {
	n.when = c
	return n
}

func fixed(value string) text { return text{func(*shape) string { return value }, value} }

// rendering is one of the two ways to write a description.
type rendering interface {
	scalar(t text) string
	// around returns the lines around a node that depends on something, and
	// whether it is written at all.
	around(c condition) (before, after string, is bool)
	// repeat returns the lines around the repeated nodes, and those.
	repeat(e *each) (before, after string, nodes []node)
}

// write returns the lines of a mapping's fields or a list's items.
func write(nodes []node, indent string, r rendering) []string {
	var lines []string
	for _, n := range nodes {
		lines = append(lines, n.lines(indent, r)...)
	}
	return lines
}

func (n node) lines(indent string, r rendering) []string {
	if n.each != nil {
		before, after, nodes := r.repeat(n.each)
		return enclose(indent, before, after, write(nodes, indent, r))
	}
	before, after, is := r.around(n.when)
	if !is {
		return nil
	}
	var lines []string
	if n.why != "" {
		for line := range strings.SplitSeq(n.why, "\n") {
			lines = append(lines, indent+"# "+line)
		}
	}
	return enclose(indent, before, after, append(lines, n.body(indent, r)...))
}

func (n node) body(indent string, r rendering) []string {
	const step = "  "
	switch {
	case n.key == "" && n.children == nil:
		return []string{indent + "- " + r.scalar(n.value)}
	case n.key == "":
		fields := write(n.children, indent+step, r)
		fields[0] = indent + "- " + strings.TrimPrefix(fields[0], indent+step)
		return fields
	case n.children == nil:
		return []string{indent + n.key + ": " + r.scalar(n.value)}
	}
	return append([]string{indent + n.key + ":"}, write(n.children, indent+step, r)...)
}

func enclose(indent, before, after string, lines []string) []string {
	if before == "" {
		return lines
	}
	return append(append([]string{indent + before}, lines...), indent+after)
}
