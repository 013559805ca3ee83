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
// it is ordinary, of its containers), for who writes it into a file by hand;
// and what it finds in its environment, as in Change. The pod is one of the
// named workload's.
func Print(kind Kind, workload string, o Options) (text string, env map[string]string, err error) {
	o = o.withDefaults()
	if r := o.check(); r != nil {
		return "", nil, Refusals{r}
	}
	if r := o.checkKind(kind); r != nil {
		return "", nil, Refusals{r}
	}
	if !subdomain.MatchString(workload) {
		return "", nil, Refusals{{Text: fmt.Sprintf("%q is not the name of a %s", workload, kind), Hint: fmt.Sprintf("--for %s/NAME says whose pod it is for", strings.ToLower(string(kind)))}}
	}
	s := &shape{Options: o, kind: kind, workload: workload, grace: o.grace(kind)}
	container, r := s.decoded()
	if r != nil {
		return "", nil, Refusals{r}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# For the %s in a pod of the %s %s, with a terminationGracePeriodSeconds of %s.\n", o.listKey(), kind, workload, seconds(s.grace))
	for _, line := range s.lines("") {
		b.WriteString(line + "\n")
	}
	return b.String(), environ(container), nil
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
