package sidecar

import (
	"reflect"

	"github.com/goccy/go-yaml"
)

// Whatever was understood of a file before lines went into it or out of it,
// the result is read again and compared. So a way of writing YAML that nobody
// thought of ends in a refusal, and never in a broken file.

// decode reads a document as plain values.
func (d *document) decode() (any, error) {
	var value any
	err := yaml.Unmarshal([]byte(d.plainText()), &value)
	return value, err
}

// provePlans refuses a result that is not the document and the plans' sidecars.
func (d *document) provePlans(result *document, plans []plan) *Refusal {
	line := plans[0].workload.line
	before, errBefore := d.decode()
	after, errAfter := result.decode()
	if errBefore == nil && errAfter == nil {
		for i := range plans {
			plans[i].add(before)
		}
		if reflect.DeepEqual(before, after) {
			return nil
		}
	}
	hint := "write it as kubectl does with -o yaml: one field a line, indented with spaces"
	if ending(d.lines[len(d.lines)-1]) == "" {
		hint = "end the file with a line break"
	}
	return d.refuse(line, "the document is written in a way in which the sidecar cannot be inserted safely", hint)
}

// add does to the decoded document what the edits should have done to it.
func (p *plan) add(root any) {
	spec := at(root, p.workload.path)
	if spec == nil {
		return
	}
	if p.ordinary {
		spec[keyContainers] = append(listIn(spec, keyContainers), p.container)
	} else {
		spec[keyInitContainers] = append([]any{p.container}, listIn(spec, keyInitContainers)...)
	}
	if p.grace > 0 {
		spec[keyGrace] = uint64(p.grace)
	}
}

// proveClean refuses to take out anything but one container of a pod and its
// grace period.
func (d *document) proveClean(clean *document, found []workload, first block) *Refusal {
	before, errBefore := d.decode()
	after, errAfter := clean.decode()
	if errBefore == nil && errAfter == nil {
		same := true
		for _, w := range found {
			out, ok := reduce(at(before, w.path), at(after, w.path))
			if out > 1 {
				return d.refuse(first.first+1, "a container of yours stands between the marks of the relay's, and would be lost",
					"cut it out, run relay inject --uninject, and put it back")
			}
			same = same && ok
		}
		if same && reflect.DeepEqual(before, after) {
			return nil
		}
	}
	return d.refuse(first.first+1, "without what stands between these marks the document would not be what it was",
		"cut out what was added to the sidecar's list, run relay inject --uninject, and put it back; or take out the sidecar and its marks by hand")
}

// reduce takes from both specs what Inject may have changed. It counts the
// containers that only the first has, and reports whether the second has
// nothing there that the first has not.
func reduce(before, after map[string]any) (out int, ok bool) {
	if before == nil || after == nil {
		return 0, false
	}
	for _, key := range []string{keyInitContainers, keyContainers} {
		rest := listIn(before, key)
		out += len(rest) - len(listIn(after, key))
		for _, want := range listIn(after, key) {
			i := 0
			for i < len(rest) && !reflect.DeepEqual(rest[i], want) {
				i++
			}
			if i == len(rest) {
				return out, false
			}
			rest = rest[i+1:]
		}
		delete(before, key)
		delete(after, key)
	}
	if grace, ok := after[keyGrace]; ok && !reflect.DeepEqual(grace, before[keyGrace]) {
		return out, false
	}
	delete(before, keyGrace)
	delete(after, keyGrace)
	return out, true
}

// at follows a path to a mapping, or returns nil.
func at(root any, path []any) map[string]any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, _ := root.(map[string]any)
			root = fields[step]
		case int:
			items, _ := root.([]any)
			if step >= len(items) {
				return nil
			}
			root = items[step]
		}
	}
	fields, _ := root.(map[string]any)
	return fields
}

func listIn(spec map[string]any, key string) []any {
	items, _ := spec[key].([]any)
	return items
}
