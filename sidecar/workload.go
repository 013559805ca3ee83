package sidecar

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Keys of a pod's spec.
const (
	keyContainers     = "containers"
	keyInitContainers = "initContainers"
	keyGrace          = "terminationGracePeriodSeconds"
	keyHostNetwork    = "hostNetwork"
)

// kindList is an object that holds others.
const kindList = "List"

// workload is a place for a sidecar: one spec of pods in a document.
type workload struct {
	kind Kind
	name string
	// hook: Helm starts it beside the release, to test or to migrate.
	hook bool
	// path leads to the spec from the document's root: keys and indices.
	path []any
	spec *ast.MappingNode
	// line is that of the key of the spec, from 1 in the document.
	line int
}

// groups are the API groups (with the slash in front of the version) in which
// a kind is the one that is meant: others call theirs Job, too.
var groups = map[Kind][]string{
	Deployment:            {"apps/", "extensions/"},
	ReplicaSet:            {"apps/", "extensions/"},
	DaemonSet:             {"apps/", "extensions/"},
	StatefulSet:           {"apps/"},
	Job:                   {"batch/"},
	CronJob:               {"batch/"},
	Pod:                   {""},
	ReplicationController: {""},
	kindList:              {""},
}

// specPath leads from an object to the spec of its pods.
func specPath(kind Kind) []string {
	switch kind {
	case Pod:
		return []string{"spec"}
	case CronJob:
		return []string{"spec", "jobTemplate", "spec", "template", "spec"}
	}
	return []string{"spec", "template", "spec"}
}

// finder finds the workloads of one document.
type finder struct {
	doc   *document
	found []workload
}

// workloads returns the places for sidecars in a document, in their order.
func (d *document) workloads() ([]workload, *Refusal) {
	if !d.mentionsWorkload() {
		return nil, nil
	}
	tree, err := parser.ParseBytes([]byte(d.plainText()), 0)
	if err != nil {
		return nil, d.refuseSyntax(err)
	}
	f := &finder{doc: d}
	var bodies []ast.Node
	for _, part := range tree.Docs {
		if _, isDirective := part.Body.(*ast.DirectiveNode); part.Body != nil && !isDirective {
			bodies = append(bodies, part.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return nil, nil
	case 1:
		r := f.object(bodies[0], nil)
		return f.found, r
	}
	return nil, d.refuse(bodies[1].GetToken().Position.Line, "a document begins here without a line of three dashes", "put --- in front of it")
}

// mentionsWorkload is a first look that spares everything else: a document
// without one of the words is never read, so it may be written in any way.
func (d *document) mentionsWorkload() bool {
	text := d.text()
	return strings.Contains(text, kindList) || slices.ContainsFunc(Kinds(), func(k Kind) bool { return strings.Contains(text, string(k)) })
}

func (d *document) refuseSyntax(err error) *Refusal {
	line, text, hint := 1, "it is not valid YAML", ""
	if detail, ok := errors.AsType[yaml.Error](err); ok {
		text += ": " + detail.GetMessage()
		if tk := detail.GetToken(); tk != nil && tk.Position != nil {
			line = tk.Position.Line
		}
	}
	if strings.Contains(d.text(), "{{") {
		hint = "a chart's template is rendered first: helm template ... | relay inject -f -; or use the named templates of the relay's chart"
	}
	return d.refuse(line, text, hint)
}

// object looks at a Kubernetes object.
func (f *finder) object(n ast.Node, path []any) *Refusal {
	fields, _ := bare(n).(*ast.MappingNode)
	if fields == nil {
		return nil
	}
	kind := Kind(scalarOf(fields, "kind"))
	version := scalarOf(fields, "apiVersion")
	if !slices.ContainsFunc(groups[kind], func(group string) bool {
		return strings.HasPrefix(version, group) && (group != "" || !strings.Contains(version, "/"))
	}) {
		return nil
	}
	if r := f.doc.writable(n, string(kind)); r != nil {
		return r
	}
	if kind == kindList {
		return f.items(fields, path)
	}
	return f.workload(kind, fields, path)
}

func (f *finder) items(fields *ast.MappingNode, path []any) *Refusal {
	field, r := f.field(fields, "items")
	if field == nil || r != nil {
		return r
	}
	items, _ := bare(field.Value).(*ast.SequenceNode)
	if _, isAlias := field.Value.(*ast.AliasNode); !isAlias && (items == nil || len(items.Values) == 0) {
		return nil
	}
	if r := f.doc.writable(field.Value, "items"); r != nil {
		return r
	}
	for i, item := range items.Values {
		if alias, isAlias := item.(*ast.AliasNode); isAlias {
			return f.doc.writable(alias, "an item")
		}
		if r := f.object(item, append(slices.Clone(path), "items", i)); r != nil {
			return r
		}
	}
	return nil
}

func (f *finder) workload(kind Kind, fields *ast.MappingNode, path []any) *Refusal {
	w := workload{kind: kind, path: slices.Clone(path), spec: fields}
	if metadata, _ := valueOf(fields, "metadata").(*ast.MappingNode); metadata != nil {
		w.name = scalarOf(metadata, "name")
		annotations, _ := valueOf(metadata, "annotations").(*ast.MappingNode)
		w.hook = annotations != nil && valueOf(annotations, "helm.sh/hook") != nil
	}
	for _, key := range specPath(kind) {
		field, r := f.field(w.spec, key)
		if r != nil {
			return r
		}
		if field == nil {
			return nil // a patch that says nothing about the pods
		}
		next, _ := bare(field.Value).(*ast.MappingNode)
		if _, isAlias := field.Value.(*ast.AliasNode); !isAlias && (next == nil || len(next.Values) == 0) {
			return nil
		}
		if r := f.doc.writable(field.Value, key); r != nil {
			return r
		}
		w.path = append(w.path, key)
		w.spec, w.line = next, field.Key.GetToken().Position.Line
	}
	if _, r := f.field(w.spec, keyInitContainers); r != nil {
		return r
	}
	f.found = append(f.found, w)
	return nil
}

// field returns a field of a mapping, or nil. It refuses mappings of which it
// cannot say what fields they have.
func (f *finder) field(m *ast.MappingNode, key string) (*ast.MappingValueNode, *Refusal) {
	var found *ast.MappingValueNode
	for _, v := range m.Values {
		switch k := v.Key.(type) {
		case *ast.StringNode:
			if k.Value == key {
				found = v
			}
		case *ast.MergeKeyNode:
			return nil, f.doc.refuse(k.GetToken().Position.Line, "fields come from elsewhere here (<<)", "write them out, or inject into what kustomize or Helm makes of it")
		case *ast.MappingKeyNode, *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
			return nil, f.doc.refuse(v.Key.GetToken().Position.Line, "a key is written in a way that only few files use", `write it as "key: value"`)
		}
	}
	return found, nil
}

// writable refuses what cannot be added to by inserting lines.
func (d *document) writable(n ast.Node, name string) *Refusal {
	line := n.GetToken().Position.Line
	switch n := n.(type) {
	case *ast.AnchorNode:
		return d.refuse(line, name+" has an anchor (&), by which what is added could appear elsewhere too", "write the other place out, and take the anchor away")
	case *ast.AliasNode:
		return d.refuse(line, name+" is an alias (*) of something else", "write it out")
	case *ast.TagNode:
		return d.refuse(line, name+" has a tag (!)", "take the tag away")
	case *ast.MappingNode:
		if n.IsFlowStyle {
			return d.refuse(line, name+" is written in braces, between which no lines can be inserted", flowHint)
		}
	case *ast.SequenceNode:
		if n.IsFlowStyle {
			return d.refuse(line, name+" is written in brackets, between which no lines can be inserted", flowHint)
		}
	}
	return nil
}

const flowHint = "write it as indented lines, as kubectl does with -o yaml"

// bare takes anchors and tags off a node.
func bare(n ast.Node) ast.Node {
	for {
		switch wrapped := n.(type) {
		case *ast.AnchorNode:
			n = wrapped.Value
		case *ast.TagNode:
			n = wrapped.Value
		default:
			return n
		}
	}
}

// valueOf returns the value of a field without anchor and tag, or nil.
func valueOf(m *ast.MappingNode, key string) ast.Node {
	for _, v := range m.Values {
		if k, ok := v.Key.(*ast.StringNode); ok && k.Value == key {
			return bare(v.Value)
		}
	}
	return nil
}

func scalarOf(m *ast.MappingNode, key string) string {
	if s, ok := valueOf(m, key).(*ast.StringNode); ok {
		return s.Value
	}
	return ""
}
