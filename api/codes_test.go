package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"relay/tests/contract"
)

// constants returns the values of a file's constants of one named type.
func constants(t *testing.T, file, typeName string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, decl := range parsed.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			v := spec.(*ast.ValueSpec)
			name, ok := v.Type.(*ast.Ident)
			if !ok {
				t.Fatalf("%s: constant %s does not say its type, so this test could miss it", file, v.Names[0].Name)
			}
			if name.Name != typeName {
				continue
			}
			for _, value := range v.Values {
				text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, text)
			}
		}
	}
	slices.Sort(values)
	if len(values) == 0 {
		t.Fatalf("%s has no constants of type %s", file, typeName)
	}
	return values
}

// errorsPage is docs/errors.md, by its tables.
type errorsPage struct {
	status map[string]string   // of a code; empty for codes of frames
	closes map[string][]string // a close code's reasons
}

func readErrorsPage(t *testing.T) errorsPage {
	t.Helper()
	text, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	page := errorsPage{status: make(map[string]string), closes: make(map[string][]string)}
	quoted := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 {
			continue
		}
		code := quoted.FindStringSubmatch(cells[1])
		if code == nil {
			continue
		}
		if _, err := strconv.Atoi(code[1]); err == nil {
			for _, reason := range quoted.FindAllStringSubmatch(cells[2], -1) {
				page.closes[code[1]] = append(page.closes[code[1]], reason[1])
			}
			continue
		}
		if _, twice := page.status[code[1]]; twice {
			t.Errorf("docs/errors.md explains %s twice", code[1])
		}
		status := strings.TrimSpace(cells[2])
		if _, err := strconv.Atoi(status); err != nil {
			status = ""
		}
		page.status[code[1]] = status
	}
	return page
}

func TestErrorCodesAreOneList(t *testing.T) {
	want := constants(t, "../event/code.go", "Code")

	var enum []string
	for _, v := range contract.Document().Components.Schemas["ErrorCode"].Value.Enum {
		enum = append(enum, v.(string))
	}
	slices.Sort(enum)
	if !slices.Equal(enum, want) {
		t.Errorf("openapi.yaml has the codes\n%v\nand event\n%v", enum, want)
	}
	if documented := sortedKeys(readErrorsPage(t).status); !slices.Equal(documented, want) {
		t.Errorf("docs/errors.md has the codes\n%v\nand event\n%v", documented, want)
	}
}

func TestCloseCodesAreDocumented(t *testing.T) {
	page := readErrorsPage(t)
	want := []string{"1001", "1009", "4400", "4401", "4403", "4408", "4429", "4503"}
	if got := sortedKeys(page.closes); !slices.Equal(got, want) {
		t.Errorf("docs/errors.md has the close codes %v, the contract %v", got, want)
	}
	known := constants(t, "../event/reason.go", "Reason")
	for code, reasons := range page.closes {
		for _, reason := range reasons {
			if !slices.Contains(known, reason) {
				t.Errorf("docs/errors.md: %s has the reason %q, which event does not know", code, reason)
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
