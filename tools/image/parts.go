package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// part is a module that is in the image.
type part struct {
	path, version string
	sum           string   // as in go.sum, empty for the relay and the standard library
	licences      []string // SPDX identifiers
	texts         []file   // licences and notices, by their base names
}

// standardLibrary is what vulnerability scanners call it.
const standardLibrary = "std"

// textName matches the files that whoever hands out a program has to add.
var textName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// findParts looks up the modules of a program, the library of the Go that
// compiled it and the module with the certificates.
func (b *build) findParts(ctx context.Context, repository string, modules map[string]*debug.Module) error {
	licences, err := assets.DefaultClassifier()
	if err != nil {
		return err
	}
	b.relay = part{path: "relay", version: b.version}
	if err := b.relay.readTexts(licences, repository); err != nil {
		return err
	}
	goroot, err := runGo(ctx, repository, nil, "env", "GOROOT")
	if err != nil {
		return err
	}
	if err := b.addPart(licences, part{path: standardLibrary, version: strings.TrimPrefix(b.goVersion, "go")}, goroot); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		m := modules[path]
		if m.Replace != nil {
			m = m.Replace
		}
		if err := b.addModule(ctx, licences, repository, *m); err != nil {
			return err
		}
	}
	roots, err := rootsModule()
	if err != nil {
		return err
	}
	if err := b.addModule(ctx, licences, filepath.Join(repository, "tools", "image"), roots); err != nil {
		return err
	}
	slices.SortFunc(b.parts, func(a, b part) int { return strings.Compare(a.path, b.path) })
	return nil
}

// addModule adds a module that the main module in dir uses.
func (b *build) addModule(ctx context.Context, c *classifier.Classifier, dir string, m debug.Module) error {
	source, err := runGo(ctx, dir, []string{"GOFLAGS=", "GOWORK=off"}, "list", "-m", "-f", "{{.Dir}}", m.Path)
	if err != nil {
		return err
	}
	return b.addPart(c, part{path: m.Path, version: m.Version, sum: m.Sum}, source)
}

func (b *build) addPart(c *classifier.Classifier, p part, dir string) error {
	if err := p.readTexts(c, dir); err != nil {
		return err
	}
	b.parts = append(b.parts, p)
	return nil
}

// readTexts reads the licence files of the module in dir. A module without one
// must not be handed out, so that is an error.
func (p *part) readTexts(c *classifier.Classifier, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("the source of %s cannot be read: %w", p.path, err)
	}
	found := make(map[string]bool)
	for _, e := range entries {
		if e.IsDir() || !textName.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		p.texts = append(p.texts, file{name: e.Name(), mode: 0o444, data: text})
		for _, m := range c.Match(text).Matches {
			if m.MatchType == "License" {
				found[m.Name] = true
			}
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("no known licence in %s of %s %s", dir, p.path, p.version)
	}
	p.licences = slices.Sorted(maps.Keys(found))
	return nil
}

// licences are those of all parts together.
func (b *build) licences() []string {
	all := slices.Clone(b.relay.licences)
	for _, p := range b.parts {
		all = append(all, p.licences...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
