// Package arrows fails when an import runs up or sideways. The table it reads
// is house_test.go; the picture of it is in docs/architecture.md.
//
// It reads the source itself instead of asking the go command, which would
// not show the files of other systems and build tags.
package arrows

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of this module, as go.mod has it.
const module = "relay"

// root is the module's folder, seen from this one.
const root = "../.."

type floor struct {
	name  string
	rooms rooms
}

// rooms maps a package to the packages it may import, separated by spaces.
type rooms map[string]string

const (
	everything = "*"
	onlyTests  = ""
)

// source is what one package's files import.
type source struct {
	imports     map[string]string // import path to the file that has it
	testImports map[string]string
}

func TestArrowsOnlyGoDown(t *testing.T) {
	for _, err := range checkAll(readSources(t)) {
		t.Error(err)
	}
}

// TestTableGoesDown keeps the table itself honest: a permission must not be
// given for an arrow that runs up or sideways.
func TestTableGoesDown(t *testing.T) {
	for height, f := range house {
		for room, uses := range f.rooms {
			for used := range strings.FieldsSeq(uses) {
				if used == everything {
					continue
				}
				below, ok := heightOf(used)
				if !ok {
					t.Errorf("%s may use %s, which the table does not place", room, used)
				} else if below >= height {
					t.Errorf("%s (%s) may use %s (%s), which is not on a lower floor", room, f.name, used, house[below].name)
				}
			}
		}
	}
}

func TestTableNamesWhatExists(t *testing.T) {
	sources := readSources(t)
	for _, f := range house {
		for room := range f.rooms {
			if _, ok := sources[room]; !ok {
				t.Errorf("the table places %s, which does not exist", room)
			}
		}
	}
	for m := range modules {
		if !isUsed(sources, m) {
			t.Errorf("the table names the module %s, which nothing imports", m)
		}
	}
}

// TestModulesAreExplained: who lets a module in says why.
func TestModulesAreExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for m := range modules {
		if !strings.Contains(string(page), "`"+m+"`") {
			t.Errorf("docs/dependencies.md does not say why %s is used", m)
		}
	}
}

func isUsed(sources map[string]source, module string) bool {
	for _, s := range sources {
		for _, imports := range []map[string]string{s.imports, s.testImports} {
			for imported := range imports {
				if belongsTo(imported, module) {
					return true
				}
			}
		}
	}
	return false
}

// TestBreachesAreSeen runs the rules on packages that break them.
func TestBreachesAreSeen(t *testing.T) {
	for _, c := range []struct {
		name, room, imports, testImports, want string
	}{
		{name: "down", room: "hub", imports: "relay/bus"},
		{name: "up", room: "bus", imports: "relay/hub", want: "bus must not import hub"},
		{name: "sideways", room: "hub", imports: "relay/redisbus", want: "hub must not import redisbus"},
		{name: "between doors", room: "transport/ws", imports: "relay/api", want: "transport/ws must not import api"},
		{name: "a test sideways", room: "hub", testImports: "relay/membus"},
		{name: "a test up", room: "hub", testImports: "relay/api", want: "hub's tests must not import api"},
		{name: "a test with test tools", room: "redisbus", testImports: "relay/tests/internal/redis"},
		{name: "code with test tools", room: "redisbus", imports: "relay/tests/internal/redis", want: "redisbus must not import tests/internal/redis"},
		{name: "unknown room", room: "utils", want: "utils has no place"},
		{name: "unknown import", room: "api", imports: "relay/utils", want: "api must not import utils"},
		{name: "somebody else's module", room: "hub", imports: "github.com/redis/rueidis", want: "hub must not import github.com/redis/rueidis"},
		{name: "a package of a module", room: "redisbus", imports: "github.com/redis/rueidis/rueidiscompat"},
		{name: "a module with a like name", room: "redisbus", imports: "github.com/redis/rueidisx", want: "redisbus must not import github.com/redis/rueidisx"},
		{name: "a test's module", room: "hub", testImports: "go.uber.org/goleak"},
		{name: "a test's module in code", room: "hub", imports: "go.uber.org/goleak", want: "hub must not import go.uber.org/goleak"},
		{name: "an unknown module", room: "hub", testImports: "example.com/assert", want: "hub's tests must not import example.com/assert"},
		{name: "flags below the program", room: "hub", imports: "flag", want: "hub must not import flag"},
		{name: "flags in the program", room: "cmd/relay", imports: "flag"},
		{name: "an example with the relay's code", room: "examples/go", imports: "relay/event", want: "examples/go must not import event"},
		{name: "a test of the whole", room: "tests/e2e", testImports: "relay/cmd/relay"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := errors.Join(checkRoom(c.room, source{fromOneFile(c.imports), fromOneFile(c.testImports)})...)
			if c.want == "" && err != nil {
				t.Errorf("got %v, want no complaint", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want a complaint with %q", err, c.want)
			}
		})
	}
}

func fromOneFile(imports string) map[string]string {
	m := make(map[string]string)
	for i := range strings.FieldsSeq(imports) {
		m[i] = "file.go"
	}
	return m
}

func checkAll(sources map[string]source) []error {
	var all []error
	for room, s := range sources {
		all = append(all, checkRoom(room, s)...)
	}
	return all
}

// checkRoom returns what is wrong with the imports of one package.
func checkRoom(room string, s source) []error {
	uses, known := usesOf(room)
	if !known {
		return []error{fmt.Errorf("%s has no place in tests/arrows/house_test.go; give it one", room)}
	}
	var breaches []error
	for imported, file := range s.imports {
		if !mayImport(room, uses, imported) {
			breaches = append(breaches, fmt.Errorf("%s must not import %s (%s)", room, short(imported), file))
		}
	}
	for imported, file := range s.testImports {
		if !testsMayImport(room, imported) {
			breaches = append(breaches, fmt.Errorf("%s's tests must not import %s (%s)", room, short(imported), file))
		}
	}
	return breaches
}

// usesOf returns the packages a room may import, separated by spaces.
func usesOf(room string) (uses string, known bool) {
	switch {
	case strings.HasPrefix(room, "tests/"):
		return everything, true
	case strings.HasPrefix(room, "examples/"):
		return "", true // an example shows what is needed without us
	}
	height, ok := heightOf(room)
	if !ok {
		return "", false
	}
	return house[height].rooms[room], true
}

func mayImport(room, uses, imported string) bool {
	ours, isOurs := within(imported)
	switch {
	case isOurs && uses == everything:
		_, known := usesOf(ours)
		return known
	case isOurs:
		return slices.Contains(strings.Fields(uses), ours)
	case slices.Contains(programOnly, imported):
		return strings.HasPrefix(room, "cmd/") || strings.HasPrefix(room, "tests/") || strings.HasPrefix(room, "examples/")
	case isStandard(imported):
		return true
	}
	rooms, known := roomsOfModule(imported)
	return known && (slices.Contains(strings.Fields(rooms), room) || strings.HasPrefix(room, "tests/"))
}

// testsMayImport: tests may look sideways, because a hub is best tested with a
// bus, but not up, or the lower room could no longer be tested alone.
func testsMayImport(room, imported string) bool {
	ours, isOurs := within(imported)
	if !isOurs {
		_, known := roomsOfModule(imported)
		return known || isStandard(imported)
	}
	if strings.HasPrefix(room, "tests/") || strings.HasPrefix(ours, "tests/") {
		return true
	}
	theirs, ok := heightOf(ours)
	mine, _ := heightOf(room)
	return ok && theirs <= mine
}

func heightOf(room string) (height int, ok bool) {
	for height, f := range house {
		if _, ok := f.rooms[room]; ok {
			return height, true
		}
	}
	return 0, false
}

// within cuts the module's path off one of our own import paths.
func within(imported string) (room string, isOurs bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func short(imported string) string {
	if room, isOurs := within(imported); isOurs {
		return room
	}
	return imported
}

// isStandard: only the standard library's paths begin without a domain name.
func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func roomsOfModule(imported string) (rooms string, known bool) {
	for m, rooms := range modules {
		if belongsTo(imported, m) {
			return rooms, true
		}
	}
	return "", false
}

func belongsTo(imported, module string) bool {
	return imported == module || strings.HasPrefix(imported, module+"/")
}

// readSources reads the imports of every package of the module.
func readSources(t *testing.T) map[string]source {
	t.Helper()
	sources := make(map[string]source)
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(file, entry.Name())
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		return addFile(sources, filepath.ToSlash(relative), file)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 10 {
		t.Fatalf("found only %d packages below %s", len(sources), root)
	}
	return sources
}

// enter skips what the go command skips: hidden folders, test data, other modules.
func enter(folder, name string) error {
	if folder == root {
		return nil
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func addFile(sources map[string]source, name, file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	room := path.Dir(name)
	s, ok := sources[room]
	if !ok {
		s = source{make(map[string]string), make(map[string]string)}
		sources[room] = s
	}
	imports := s.imports
	if strings.HasSuffix(name, "_test.go") {
		imports = s.testImports
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		imports[imported] = name
	}
	return nil
}
