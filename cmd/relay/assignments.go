package main

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// assignments is a flag that may be repeated: NAME=VALUE, each name once.
type assignments map[string]string

// Set takes one of them.
func (a assignments) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("not NAME=VALUE")
	}
	if _, twice := a[name]; twice {
		return errors.New("given twice")
	}
	a[name] = value
	return nil
}

// String is the flag's default, of which there is none.
func (a assignments) String() string { return "" }

func (a assignments) names() []string { return slices.Sorted(maps.Keys(a)) }

// names is a flag that holds a list: comma separated, or repeated.
type names []string

// Set takes some of them.
func (n *names) Set(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			*n = append(*n, name)
		}
	}
	return nil
}

// String is the flag's default, of which there is none.
func (n *names) String() string { return "" }
