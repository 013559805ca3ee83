package sidecar

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// plan is how one workload gets its sidecar.
type plan struct {
	workload *workload
	// edits are in the order of their lines.
	edits []edit
	// container is the sidecar as YAML decodes it; grace, if not 0, is what
	// the pod's grace period is set to, in seconds.
	container map[string]any
	grace     int
	ordinary  bool
}

// plan decides about a workload, or says why it cannot have a sidecar.
func (d *document) plan(w *workload, o *Options) (plan, *Refusal) {
	p := plan{workload: w, ordinary: o.Ordinary}
	if r := o.checkKind(w.kind); r != nil {
		return p, d.refuse(w.line, r.Text, r.Hint)
	}
	if r := d.checkNeighbours(w, o); r != nil {
		return p, r
	}
	if w.kind.generation() != "" && !subdomain.MatchString(w.name) {
		return p, d.refuse(w.line, fmt.Sprintf("the %s has no name by which its relays could know each other", w.kind), "give it a plain metadata.name")
	}
	s := &shape{Options: *o, kind: w.kind, workload: w.name}
	var r *Refusal
	if s.grace, p.grace, r = d.graceOf(w, o); r != nil {
		return p, r
	}
	if p.container, r = s.decoded(); r != nil {
		return p, d.refuse(w.line, r.Text, r.Hint)
	}
	indent, r := d.indentOf(w.spec.Values[0].Key)
	if r != nil {
		return p, r
	}
	e, isNewKey, r := d.listEdit(w, s, indent)
	if r != nil {
		return p, r
	}
	if p.grace > 0 {
		line := fmt.Sprintf("%s%s: %d", indent, keyGrace, p.grace)
		if isNewKey {
			e.lines = append([]string{line}, e.lines...)
		} else {
			p.edits = append(p.edits, edit{line: w.line, indent: indent, lines: []string{line}})
		}
	}
	p.edits = append(p.edits, e)
	return p, nil
}

// decoded is the container as other programs read it.
func (s *shape) decoded() (map[string]any, *Refusal) {
	var list []map[string]any
	err := yaml.Unmarshal([]byte(strings.Join(s.lines(""), "\n")), &list)
	if err != nil || len(list) != 1 {
		return nil, &Refusal{Text: "what was given makes a sidecar that is not valid YAML", Hint: "look for special characters in the values"}
	}
	return list[0], nil
}

// environ is what a container finds in its environment, as far as that is
// known before there is a pod.
func environ(container map[string]any) map[string]string {
	env := make(map[string]string)
	variables, _ := container["env"].([]any)
	for _, v := range variables {
		fields, _ := v.(map[string]any)
		name, _ := fields["name"].(string)
		value, _ := fields["value"].(string)
		if refersToPod := strings.Contains(strings.ReplaceAll(value, "$$", ""), "$("); refersToPod {
			value = ""
		}
		env[name] = strings.ReplaceAll(value, "$$", "$")
	}
	return env
}

// graceOf returns the pod's grace period; and, if that has to be written into
// the pod, the number to write.
func (d *document) graceOf(w *workload, o *Options) (grace time.Duration, set int, r *Refusal) {
	need := o.grace(w.kind)
	field := find(w.spec, keyGrace)
	if field == nil {
		if need > defaultGrace {
			set = int(need / time.Second)
		}
		return need, set, nil
	}
	line := field.Key.GetToken().Position.Line
	number, err := strconv.Atoi(field.Value.GetToken().Value)
	if _, isInteger := field.Value.(*ast.IntegerNode); !isInteger || err != nil {
		return 0, 0, d.refuse(line, keyGrace+" is not a plain number of seconds", "write it like 30")
	}
	grace = time.Duration(number) * time.Second
	if least := o.drain(w.kind) + exitMargin; grace < least {
		return 0, 0, d.refuse(line,
			fmt.Sprintf("the relay needs %s to leave, and Kubernetes kills the pod after %s", least, grace),
			fmt.Sprintf("set %s to %d, or give --set %s=TIME a shorter time", keyGrace, int(need/time.Second), varDrainWindow))
	}
	return grace, 0, nil
}

// indentOf returns the spaces in front of a key or dash that begins its line.
func (d *document) indentOf(n ast.Node) (string, *Refusal) {
	at := n.GetToken().Position
	if at.Line <= len(d.lines) {
		if indent := indentation(d.lines[at.Line-1]); len(indent) == at.Column-1 {
			return indent, nil
		}
	}
	return "", d.refuse(at.Line, "it cannot be said where lines could be inserted here", "indent with spaces, and write one field a line")
}

// listEdit puts the container into its list. isNewKey: it brings the list's
// key along, and stands at the beginning of the pod's spec.
func (d *document) listEdit(w *workload, s *shape, indent string) (e edit, isNewKey bool, r *Refusal) {
	field := find(w.spec, s.listKey())
	if field == nil && s.Ordinary {
		return e, false, d.refuse(w.line, "the pod has no containers", "an ordinary sidecar stands beside an app")
	}
	if field == nil {
		return edit{line: w.line, indent: indent, lines: d.newList(w, s, indent)}, true, nil
	}
	if items, ok := field.Value.(*ast.SequenceNode); ok && !items.IsFlowStyle && len(items.Values) > 0 {
		e, r := d.itemEdit(field, items, s)
		return e, false, r
	}
	line := field.Key.GetToken().Position.Line
	if !s.Ordinary && isEmptyList.MatchString(content(d.lines[line-1])) && isNothing(field.Value) {
		return edit{line: line - 1, replace: true, indent: indent, lines: d.newList(w, s, indent)}, false, nil
	}
	if r := d.writable(field.Value, s.listKey()); r != nil {
		return e, false, r
	}
	return e, false, d.refuse(line, s.listKey()+" is not a list of containers", "write one item below the other")
}

// isEmptyList matches a whole line that says there are no init containers.
var isEmptyList = regexp.MustCompile(`^ *["']?` + keyInitContainers + `["']? *: *(\[ *\]|~|null)? *( #.*)?$`)

func isNothing(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.NullNode:
		return true
	case *ast.SequenceNode:
		return len(n.Values) == 0
	}
	return false
}

// newList writes the list with its key, in the style of the app's containers.
func (d *document) newList(w *workload, s *shape, indent string) []string {
	step := "  "
	if field := find(w.spec, keyContainers); field != nil {
		if items, ok := field.Value.(*ast.SequenceNode); ok && !items.IsFlowStyle {
			step = strings.Repeat(" ", max(0, items.Start.Position.Column-1-len(indent)))
		}
	}
	return append([]string{indent + s.listKey() + ":"}, s.lines(indent+step)...)
}

// itemEdit puts the container into a list that has items. A native sidecar is
// the first, so that it is there for what other init containers publish; an
// ordinary one is the last, because kubectl logs and exec take the first, and
// patches count from there.
func (d *document) itemEdit(field *ast.MappingValueNode, items *ast.SequenceNode, s *shape) (edit, *Refusal) {
	first := items.Start.Position
	indent := indentation(d.lines[first.Line-1])
	keyLine := field.Key.GetToken().Position.Line
	if len(indent) != first.Column-1 || first.Line <= keyLine {
		return edit{}, d.refuse(keyLine, "it cannot be said where items could be inserted here", "write each item on lines of its own, indented with spaces")
	}
	line := keyLine
	if s.Ordinary {
		line = d.endOfList(first.Line-1, len(indent))
	}
	return edit{line: line, indent: indent, lines: s.lines(indent)}, nil
}

// endOfList returns the line, from 0, behind the last one of a list whose first
// dash is in a given line and column.
func (d *document) endOfList(line, column int) int {
	end := line + 1
	for i := line + 1; i < len(d.lines); i++ {
		text := content(d.lines[i])
		depth := len(indentation(text))
		text = strings.TrimSpace(text)
		isItem := depth == column && (text == "-" || strings.HasPrefix(text, "- "))
		switch {
		case text == "" || depth <= column && text[0] == '#':
		case depth > column || isItem:
			end = i + 1
		default:
			return end
		}
	}
	return end
}

// find returns a field of a mapping, or nil.
func find(m *ast.MappingNode, key string) *ast.MappingValueNode {
	for _, v := range m.Values {
		if k, ok := v.Key.(*ast.StringNode); ok && k.Value == key {
			return v
		}
	}
	return nil
}
