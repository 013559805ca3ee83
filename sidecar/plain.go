package sidecar

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// plain renders a description as YAML.
type plain struct{ shape *shape }

func (p plain) scalar(t text) string { return t.plain(p.shape) }

func (p plain) around(c condition) (before, after string, is bool) {
	return "", "", c.plain == nil || c.plain(p.shape)
}

func (p plain) repeat(e *each) (before, after string, nodes []node) {
	return "", "", e.plain(p.shape)
}

// Print returns the container as an item of a pod's initContainers (or, if
// it is ordinary, of its containers), for who writes it into a file by hand.
func Print(kind Kind, o Options) (string, error) {
	o = o.withDefaults()
	if r := o.check(); r != nil {
		return "", r
	}
	if r := o.checkKind(kind); r != nil {
		return "", r
	}
	s := &shape{Options: o, kind: kind, grace: o.grace(kind)}
	var b strings.Builder
	fmt.Fprintf(&b, "# For the %s of a pod of a %s, whose terminationGracePeriodSeconds is %s.\n", o.listKey(), kind, seconds(s.grace))
	for _, line := range s.lines("") {
		b.WriteString(line + "\n")
	}
	return b.String(), nil
}

// lines returns the container as YAML, indented.
func (s *shape) lines(indent string) []string {
	return container().lines(indent, plain{s})
}

// listKey is where the container goes.
func (o *Options) listKey() string {
	if o.Ordinary {
		return keyContainers
	}
	return keyInitContainers
}

// checkKind refuses what cannot work with a kind of workload.
func (o *Options) checkKind(kind Kind) *Refusal {
	if o.Ordinary && kind.ends() {
		return &Refusal{
			Text: fmt.Sprintf("a %s never ends while an ordinary sidecar runs in its pod", kind),
			Hint: "leave out --ordinary (Kubernetes 1.29 or later), or let the Job publish to a relay that stands alone",
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
