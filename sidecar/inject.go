package sidecar

import (
	"fmt"
	"slices"
	"strings"
)

// Change is what happened to one workload of a file.
type Change struct {
	// Document and Line, both from 1, are where it stands in the file as it came.
	Document, Line int
	Kind           Kind
	Name           string
	// Env is what the sidecar finds in its environment, with an empty value
	// where that comes from a Secret or from the pod.
	Env map[string]string
}

// Selection is the workloads that are meant, as NAME or KIND/NAME. If it is
// empty, all of them are, but Inject leaves the hooks of Helm alone.
type Selection []string

func (s Selection) has(w *workload) bool {
	return len(s) == 0 || slices.ContainsFunc(s, func(text string) bool { return isCalled(w.kind, w.name, text) })
}

func (s Selection) wants(w *workload) bool {
	return s.has(w) && (len(s) > 0 || !w.hook)
}

func isCalled(kind Kind, name, text string) bool {
	ofKind, called, ok := strings.Cut(text, "/")
	if !ok {
		return text == name
	}
	return strings.EqualFold(ofKind, string(kind)) && called == name
}

// Inject adds the sidecar to the workloads of a file. What it does not own
// stays byte for byte; what it wrote before is written anew, so that doing it
// twice is doing it once. The error is Refusals, and then there is no result.
func Inject(file string, o Options, only Selection) (string, []Change, error) {
	o = o.withDefaults()
	if r := o.check(); r != nil {
		return "", nil, Refusals{r}
	}
	return transform(file, only, func(d *document) (document, []Change, *Refusal) { return d.inject(&o, only.wants) })
}

// Uninject takes the sidecar out again: the bytes are those from before
// Inject. The error is Refusals, and then there is no result.
func Uninject(file string, only Selection) (string, []Change, error) {
	return transform(file, only, func(d *document) (document, []Change, *Refusal) { return d.uninject(only.has) })
}

// transform does something to each document of a file.
func transform(file string, only Selection, work func(*document) (document, []Change, *Refusal)) (string, []Change, error) {
	var b strings.Builder
	var all []Change
	var refusals Refusals
	for _, d := range split(file) {
		changed, changes, r := work(&d)
		if r != nil {
			refusals = append(refusals, r)
			continue
		}
		b.WriteString(changed.text())
		all = append(all, changes...)
	}
	if len(refusals) == 0 {
		refusals = only.missed(all)
	}
	if len(refusals) > 0 {
		return "", nil, refusals
	}
	return b.String(), all, nil
}

// missed refuses what names no workload: a typo would otherwise look like
// success.
func (s Selection) missed(changes []Change) Refusals {
	var refusals Refusals
	for _, text := range s {
		if !slices.ContainsFunc(changes, func(c Change) bool { return isCalled(c.Kind, c.Name, text) }) {
			refusals = append(refusals, &Refusal{Text: fmt.Sprintf("nothing to do for %q in the file", text), Hint: "write NAME or KIND/NAME, like deployment/web"})
		}
	}
	return refusals
}

func (d *document) inject(o *Options, isMeant func(*workload) bool) (document, []Change, *Refusal) {
	clean, _, r := d.uninject(isMeant)
	if r != nil {
		return document{}, nil, r
	}
	found, r := clean.workloads()
	if r != nil {
		return document{}, nil, r
	}
	var plans []plan
	var edits []edit
	var changes []Change
	for _, w := range found {
		if !isMeant(&w) {
			continue
		}
		p, r := clean.plan(&w, o)
		if r != nil {
			return document{}, nil, r
		}
		plans = append(plans, p)
		edits = append(edits, p.edits...)
		changes = append(changes, Change{Document: d.number, Line: clean.numbers[w.line-1], Kind: w.kind, Name: w.name, Env: environ(p.container)})
	}
	if len(plans) == 0 {
		return *d, nil, nil
	}
	result := clean.apply(edits)
	return result, changes, clean.provePlans(&result, plans)
}

func (d *document) uninject(isMeant func(*workload) bool) (document, []Change, *Refusal) {
	if !strings.Contains(d.text(), beginMark) && !strings.Contains(d.text(), endMark) {
		return *d, nil, nil
	}
	found, r := d.workloads()
	if r != nil || len(found) == 0 {
		return *d, nil, r
	}
	all, r := d.blocks()
	if r != nil {
		return document{}, nil, r
	}
	var blocks []block
	var changes []Change
	for _, w := range found {
		mine := w.blocksOf(found, all)
		if len(mine) == 0 || !isMeant(&w) {
			continue
		}
		blocks = append(blocks, mine...)
		changes = append(changes, Change{Document: d.number, Line: d.numbers[w.line-1], Kind: w.kind, Name: w.name})
	}
	if len(blocks) == 0 {
		return *d, nil, nil
	}
	clean := d.without(blocks)
	return clean, changes, d.proveClean(&clean, found, blocks[0])
}

// blocksOf returns the blocks of a workload: those behind its spec's key and
// in front of the next one's.
func (w *workload) blocksOf(found []workload, all []block) []block {
	end := -1
	for _, other := range found {
		if other.line > w.line && (end < 0 || other.line < end) {
			end = other.line
		}
	}
	var mine []block
	for _, b := range all {
		if b.first >= w.line && (end < 0 || b.first < end) {
			mine = append(mine, b)
		}
	}
	return mine
}
