package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"relay/cmd/relay/internal/suggest"
)

// fileValue is what the YAML file gives for one setting.
type fileValue struct {
	items []string
	line  int
}

// fileContent is all that the YAML file gives.
type fileContent struct {
	values map[string]fileValue // by the names of settings
	rules  []fileRule
}

// parseFile reads a YAML file strictly: one mapping of known keys, each once,
// to plain values of the right type. Everything else YAML can do (anchors,
// tags, several documents) is refused rather than half understood. The one
// value that is more than that is the list of rules; see channels.go.
func parseFile(name string, content []byte) (fileContent, Problems) {
	// Windows editors put a byte order mark in front.
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	tree, err := parser.ParseBytes(content, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return fileContent{}, Problems{syntaxProblem(name, content, err)}
	}
	r := fileReader{name: name, known: make(map[string]*Setting), values: make(map[string]fileValue)}
	for _, s := range Settings() {
		r.known[s.Name] = s
	}
	r.file(tree)
	return fileContent{r.values, r.rules}, r.problems
}

// syntaxProblem keeps the message of a YAML error and leaves out the excerpt
// that comes with it: it can hold a secret.
func syntaxProblem(name string, content []byte, err error) *Problem {
	p := &Problem{Where: name, Text: "it is not valid YAML"}
	var detail yaml.Error
	if !errors.As(err, &detail) {
		return p
	}
	p.Text += ": " + detail.GetMessage()
	if tk := detail.GetToken(); tk != nil && tk.Position != nil {
		p.Where = fmt.Sprintf("%s:%d", name, tk.Position.Line)
	}
	if bareAsterisk.Match(content) {
		p.Hint = asteriskHint
	}
	return p
}

const asteriskHint = `text that begins with an asterisk needs quotes: "*"`

// bareAsterisk finds the mistake that patterns and origins invite: in YAML an
// asterisk in front makes an alias.
var bareAsterisk = regexp.MustCompile(`(?m)^[^#"']*[\[,:-]\s*\*`)

// fileReader walks the tree of one file.
type fileReader struct {
	name     string
	known    map[string]*Setting
	values   map[string]fileValue
	problems Problems

	rules      []fileRule
	channelsAt ast.Node // where the list of rules was found
}

func (r *fileReader) refuse(n ast.Node, key, text, hint string) {
	where := r.name
	if line := lineOf(n); line > 0 {
		where = fmt.Sprintf("%s:%d", r.name, line)
	}
	if key != "" {
		where += ": " + key
	}
	r.problems = append(r.problems, &Problem{Where: where, Text: text, Hint: hint})
}

func (r *fileReader) file(tree *ast.File) {
	var found bool
	for _, doc := range tree.Docs {
		if isEmpty(doc.Body) {
			continue
		}
		if found {
			r.refuse(doc.Body, "", "a second document begins here; settings stand in one", "")
			return
		}
		found = true
		switch body := doc.Body.(type) {
		case *ast.MappingNode:
			for _, entry := range body.Values {
				r.entry(entry)
			}
		case *ast.MappingValueNode:
			r.entry(body)
		default:
			r.refuse(body, "", "settings are written as lines of `name: value`", "")
		}
	}
}

// isEmpty tells a document of nothing but comments.
func isEmpty(body ast.Node) bool {
	if body == nil {
		return true
	}
	switch body.Type() {
	case ast.NullType, ast.CommentType:
		return true
	}
	return false
}

func (r *fileReader) entry(entry *ast.MappingValueNode) {
	text, ok := entry.Key.(*ast.StringNode)
	if !ok {
		r.refuse(entry, "", "a setting's name is plain text", "")
		return
	}
	key := text.Value
	if key == channelsKey {
		r.channels(text, entry.Value)
		return
	}
	s, ok := r.known[key]
	if !ok {
		hint := "`relay help serve` lists the settings"
		candidates := append(sortedKeys(r.known), channelsKey)
		if near, ok := suggest.Nearest(strings.ToLower(strings.ReplaceAll(key, "-", "_")), candidates); ok {
			hint = "did you mean " + near + "?"
		}
		r.refuse(text, "", "there is no setting "+quote(key), hint)
		return
	}
	if before, twice := r.values[key]; twice {
		r.refuse(text, key, fmt.Sprintf("it has been given in line %d", before.line), "leave one of the two")
		return
	}
	items, problem, hint := readValue(s, entry.Value)
	if problem != "" {
		r.refuse(text, key, problem, hint)
	}
	// Kept even when unfit, so that a repeat of the key is noticed as well.
	r.values[key] = fileValue{items: items, line: lineOf(text)}
}

// readValue returns the items of a value, or why it has the wrong type.
func readValue(s *Setting, n ast.Node) (items []string, problem, hint string) {
	if seq, ok := n.(*ast.SequenceNode); ok && s.isList() {
		items = []string{}
		for _, v := range seq.Values {
			text, got := scalarText(v)
			if v.Type() == ast.AliasType {
				return nil, "the list holds a YAML alias", asteriskHint
			}
			if got != shapeText {
				return nil, "the list holds something that is not text", "put quotes around it"
			}
			items = append(items, text)
		}
		return items, "", ""
	}
	text, got := scalarText(n)
	if got&s.accepts != 0 {
		return []string{text}, "", ""
	}
	if n == nil || n.Type() == ast.NullType {
		return nil, "it has no value", "give it one, or remove the line"
	}
	switch {
	case s.isList():
		return nil, "it must be a list", `write it like ["one", "two"]`
	case s.accepts&shapeText != 0 && (got == shapeNumber || got == shapeBool):
		return nil, "it must be text", "put quotes around it"
	case s.accepts&shapeNumber != 0:
		return nil, "it must be a whole number", "write it without quotes"
	case s.accepts&shapeBool != 0:
		return nil, "it must be true or false", "write it without quotes"
	}
	return nil, "it must be plain text", ""
}

// scalarText returns a scalar as it was written and its type, or no type for
// anything else.
func scalarText(n ast.Node) (string, shape) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, shapeText
	case *ast.LiteralNode:
		return n.Value.Value, shapeText
	case *ast.IntegerNode:
		return n.Token.Value, shapeNumber
	case *ast.BoolNode:
		return n.Token.Value, shapeBool
	}
	return "", 0
}

func lineOf(n ast.Node) int {
	if n == nil {
		return 0
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		return tk.Position.Line
	}
	return 0
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
