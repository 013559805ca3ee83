// Package chart tests the Helm chart. What needs no Helm is tested like
// everything else; what does is behind the build tag chart and runs with
// `make chart-test`.
package chart

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const root = "../.."

// chartDir is the chart.
const chartDir = root + "/charts/relay"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readYAML(t *testing.T, path string) map[string]any {
	t.Helper()
	var content map[string]any
	if err := yaml.Unmarshal([]byte(read(t, path)), &content); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return content
}

// ciFiles are the values that stand for the ways to use the chart.
func ciFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(chartDir + "/ci/*-values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no values in ci: %v", err)
	}
	return files
}

// settings are the relay's, as docs/settings.md lists them; a test of the
// program holds that page to the program.
func settings(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile("`RELAY_([A-Z_]+)`").FindAllStringSubmatch(read(t, root+"/docs/settings.md"), -1) {
		names = append(names, strings.ToLower(m[1]))
	}
	if len(names) < 20 {
		t.Fatalf("docs/settings.md names %d settings only", len(names))
	}
	return names
}

func schemaOf(t *testing.T) map[string]any {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal([]byte(read(t, chartDir+"/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func properties(schema map[string]any) map[string]any {
	p, _ := schema["properties"].(map[string]any)
	return p
}

// keywords of JSON Schema that the schema uses. One that is mistyped would be
// ignored without a word.
var keywords = []string{
	"$ref", "$schema", "additionalProperties", "anyOf", "definitions", "description", "enum", "items", "maxLength",
	"maximum", "minItems", "minLength", "minProperties", "minimum", "pattern", "properties", "required", "title", "type",
}

func TestSchemaIsStrict(t *testing.T) {
	schema := schemaOf(t)
	definitions, _ := schema["definitions"].(map[string]any)
	// Where what stands there is somebody else's to check.
	free := []string{"values.global", "definitions.kubernetes"}
	used := map[string]bool{}
	var walk func(path string, part any)
	walk = func(path string, part any) {
		node, ok := part.(map[string]any)
		if !ok || len(node) == 0 {
			t.Errorf("%s: %v is no schema", path, part)
			return
		}
		for key := range node {
			if !slices.Contains(keywords, key) {
				t.Errorf("%s: %q is no keyword", path, key)
			}
		}
		if ref, ok := node["$ref"].(string); ok {
			name := strings.TrimPrefix(ref, "#/definitions/")
			if used[name] = true; definitions[name] == nil {
				t.Errorf("%s: there is no %s", path, ref)
			}
		}
		if pattern, ok := node["pattern"].(string); ok {
			if _, err := regexp.Compile(pattern); err != nil || !strings.HasPrefix(pattern, "^") {
				t.Errorf("%s: the pattern %s: %v", path, pattern, err)
			}
		}
		if node["type"] == "object" {
			switch extra := node["additionalProperties"].(type) {
			case map[string]any:
				walk(path+".*", extra)
			case bool:
				if extra != slices.Contains(free, path) {
					t.Errorf("%s: additionalProperties is %v", path, extra)
				}
			default:
				t.Errorf("%s takes unknown keys", path)
			}
		}
		for name, p := range properties(node) {
			walk(path+"."+name, p)
		}
		if items, ok := node["items"]; ok {
			walk(path+"[]", items)
		} else if node["type"] == "array" {
			t.Errorf("%s takes anything in its list", path)
		}
		branches, _ := node["anyOf"].([]any)
		for _, branch := range branches {
			walk(path+"|", branch)
		}
	}
	for name, d := range definitions {
		walk("definitions."+name, d)
	}
	walk("values", schema)
	for name := range definitions {
		if !used[name] {
			t.Errorf("definitions.%s is used nowhere", name)
		}
	}
}

// Every key that may be set stands in values.yaml, with its comment and its
// default, and the other way round.
func TestSchemaHasTheKeysOfValues(t *testing.T) {
	// Helm's; and keys that stand in values.yaml without what they may hold.
	apart := []string{".global", ".config", ".affinity", ".resources.requests", ".resources.limits"}
	var compare func(path string, schema map[string]any, values map[string]any)
	compare = func(path string, schema, values map[string]any) {
		known := properties(schema)
		for name, v := range values {
			p, ok := known[name].(map[string]any)
			if !ok {
				t.Errorf("values.yaml has %s.%s, and the schema has not", path, name)
				continue
			}
			if ref, ok := p["$ref"].(string); ok {
				p, _ = schemaOf(t)["definitions"].(map[string]any)[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
			}
			if v, ok := v.(map[string]any); ok && properties(p) != nil {
				compare(path+"."+name, p, v)
			}
		}
		for name := range known {
			if _, ok := values[name]; !ok && !slices.Contains(apart, path) && !slices.Contains(apart, path+"."+name) {
				t.Errorf("the schema has %s.%s, and values.yaml has not", path, name)
			}
		}
	}
	compare("", schemaOf(t), readYAML(t, chartDir+"/values.yaml"))
}

// managed are settings that the chart decides, each in its own way.
var managed = []string{
	"public_addr", "api_addr", "ops_addr", "redis_url", "redis_url_file", "api_keys", "api_keys_file", "jwt_secret", "jwt_secret_file",
	"secret", "secret_file", "drain_delay", "drain_window", "grace_period", "generation",
}

// A new setting needs a place in the chart.
func TestEverySettingHasItsPlace(t *testing.T) {
	config, _ := properties(schemaOf(t))["config"].(map[string]any)
	taken := append([]string{"channels"}, settings(t)...) // a list of the file only
	for name := range properties(config) {
		if !slices.Contains(taken, name) {
			t.Errorf("config.%s is no setting", name)
		}
		if slices.Contains(managed, name) {
			t.Errorf("config.%s is the chart's to decide", name)
		}
	}
	for _, name := range taken {
		if name == "config" || name == "token" || name == "api_url" || name == "api_key" { // see docs/settings.md
			continue
		}
		if properties(config)[name] == nil && !slices.Contains(managed, name) {
			t.Errorf("%s cannot be set: give it a place in config, or in managed", name)
		}
	}
}

// A variable that is none of the settings stops the relay's start.
func TestVariablesAreSettings(t *testing.T) {
	known := settings(t)
	found := 0
	err := filepath.WalkDir(chartDir+"/templates", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, m := range regexp.MustCompile(`- name: RELAY_([A-Z_]+)`).FindAllStringSubmatch(read(t, path), -1) {
			found++
			if name := strings.ToLower(m[1]); !slices.Contains(known, name) {
				t.Errorf("%s: RELAY_%s is no setting", path, m[1])
			}
		}
		return nil
	})
	if err != nil || found < 8 {
		t.Errorf("%d variables in the templates: %v", found, err)
	}
	// The names of these are made from the keys of values.
	secrets, _ := readYAML(t, chartDir+"/values.yaml")["secrets"].(map[string]any)
	for key := range secrets {
		name := strings.ToLower(regexp.MustCompile(`[A-Z]`).ReplaceAllString(key, "_$0")) + "_file"
		if !slices.Contains(known, name) {
			t.Errorf("secrets.%s becomes %s, which is no setting", key, name)
		}
	}
}

// leaves lists the keys of values, down to those that hold no further ones.
func leaves(path string, values map[string]any) map[string]bool {
	all := map[string]bool{}
	for name, v := range values {
		if v, ok := v.(map[string]any); ok && len(v) > 0 {
			maps.Copy(all, leaves(path+"."+name, v))
			continue
		}
		all[path+"."+name] = true
	}
	return all
}

// A value that no file in ci sets is one that nobody has ever rendered.
func TestCISetsEveryValue(t *testing.T) {
	set := map[string]bool{}
	for _, file := range ciFiles(t) {
		maps.Copy(set, leaves("", readYAML(t, file)))
	}
	isSet := func(leaf string) bool {
		for path := range set {
			if path == leaf || strings.HasPrefix(path, leaf+".") {
				return true
			}
		}
		return false
	}
	for leaf := range leaves("", readYAML(t, chartDir+"/values.yaml")) {
		if !isSet(leaf) {
			t.Errorf("no file in ci sets %s", leaf[1:])
		}
	}
	config, _ := properties(schemaOf(t))["config"].(map[string]any)
	for name := range properties(config) {
		if !isSet(".config." + name) {
			t.Errorf("no file in ci sets config.%s", name)
		}
	}
}

// The chart's appVersion is the image's tag, so it must be that of a program
// that there is: the newest release, or "dev" before the first.
func TestAppVersion(t *testing.T) {
	want := "dev"
	if m := regexp.MustCompile(`(?m)^## v?([0-9]+\.[0-9]+\.[0-9]+)`).FindStringSubmatch(read(t, root+"/CHANGELOG.md")); m != nil {
		want = m[1]
	}
	if got := readYAML(t, chartDir+"/Chart.yaml")["appVersion"]; got != want {
		t.Errorf("appVersion is %v, and the newest in CHANGELOG.md %s", got, want)
	}
}
