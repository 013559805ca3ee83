package sidecar_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"relay/sidecar"
)

// functions are those of Helm that the template uses, as far as it uses them;
// each does what Helm's does.
func functions(t *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var b strings.Builder
			err := t.ExecuteTemplate(&b, name, data)
			return b.String(), err
		},
		"fail":       func(text string) (string, error) { return "", fmt.Errorf("%s", text) },
		"dict":       dict,
		"get":        func(m map[string]any, key string) any { return m[key] },
		"float64":    func(text string) (float64, error) { return strconv.ParseFloat(text, 64) },
		"mulf":       func(a float64, b int, c float64) float64 { return a * float64(b) * c },
		"regexFind":  func(pattern, text string) string { return regexp.MustCompile(pattern).FindString(text) },
		"regexMatch": func(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) },
		"list":       func(items ...any) []any { return items },
		"has":        func(item any, list []any) bool { return slices.Contains(list, item) },
		"hasKey":     func(m map[string]any, key string) bool { _, ok := m[key]; return ok },
		"default":    withDefault,
		"quote":      func(text any) string { return strconv.Quote(fmt.Sprint(text)) },
		"int":        toInt,
		"int64":      func(v any) int64 { return int64(toInt(v)) },
		"toString":   func(v any) string { return fmt.Sprint(v) },
		"kindIs":     func(kind string, v any) bool { return fmt.Sprintf("%T", v) == kind },
		"ternary": func(yes, no any, is bool) any {
			if is {
				return yes
			}
			return no
		},
		"replace": func(old, with, text string) string { return strings.ReplaceAll(text, old, with) },
	}
}

func dict(pairs ...any) map[string]any {
	m := make(map[string]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

func withDefault(def, value any) any {
	if is, _ := template.IsTrue(value); is {
		return value
	}
	return def
}

func toInt(v any) int {
	switch v := v.(type) {
	case int:
		return v
	case float64:
		return int(v)
	}
	return 0
}

// settings are enough of the relay's for these tests.
var settings = sidecar.Variables{
	Plain:  []string{"RELAY_PREFIX", "RELAY_HISTORY_SIZE", "RELAY_DRAIN_DELAY", "RELAY_OPEN"},
	Secret: []string{"RELAY_JWT_SECRET", "RELAY_API_KEYS"},
}

func render(t *testing.T, name string, values map[string]any) (string, error) {
	t.Helper()
	var text strings.Builder
	if err := sidecar.WriteTemplate(&text, settings); err != nil {
		t.Fatal(err)
	}
	tmpl := template.New("sidecar")
	if _, err := tmpl.Funcs(functions(tmpl)).Parse(text.String()); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	err := tmpl.ExecuteTemplate(&b, name, values)
	return b.String(), err
}

// values are options as a chart gives them: numbers are float64 there.
func values(kind sidecar.Kind, o sidecar.Options) map[string]any {
	v := map[string]any{"kind": string(kind), "workload": "web", "image": o.Image, "ordinary": o.Ordinary}
	redis := map[string]any{"none": o.Redis.None}
	if o.Redis.URL != "" {
		redis["url"] = o.Redis.URL
	}
	if o.Redis.Secret != (sidecar.Ref{}) {
		redis["secretName"], redis["secretKey"] = o.Redis.Secret.Name, o.Redis.Secret.Key
	}
	v["redis"] = redis
	secrets := make(map[string]any)
	for name, ref := range o.Secrets {
		secrets[name] = map[string]any{"name": ref.Name, "key": ref.Key}
	}
	v["secrets"] = secrets
	env := make(map[string]any)
	for name, value := range o.Env {
		env[name] = value
		if number, err := strconv.Atoi(value); err == nil {
			env[name] = float64(number)
		}
	}
	v["env"] = env
	if o.Name != "" {
		v["name"] = o.Name
	}
	if o.Ports != (sidecar.Ports{}) {
		v["ports"] = map[string]any{"public": float64(o.Ports.Public), "api": float64(o.Ports.API), "ops": float64(o.Ports.Ops)}
	}
	if o.Resources != (sidecar.Resources{}) {
		v["resources"] = map[string]any{"cpuRequest": o.Resources.CPURequest, "memoryRequest": o.Resources.MemoryRequest, "memoryLimit": o.Resources.MemoryLimit}
	}
	return v
}

// What a chart makes of the template is what people are given as YAML.
func TestTemplateMakesTheSame(t *testing.T) {
	for _, tt := range printed {
		t.Run(tt.name, func(t *testing.T) {
			yaml, _, err := sidecar.Print(tt.kind, "web", tt.options)
			if err != nil {
				t.Fatal(err)
			}
			_, want, _ := strings.Cut(yaml, "\n") // its first line says where it goes
			got, err := render(t, "relay.sidecar", values(tt.kind, tt.options))
			if err != nil {
				t.Fatal(err)
			}
			if got+"\n" != want {
				t.Errorf("the template makes\n%s\nand the YAML is\n%s", got, want)
			}
		})
	}
}

func TestTemplateOfServicePort(t *testing.T) {
	got, err := render(t, "relay.sidecar.servicePort", values(sidecar.Deployment, allOptions()))
	if want := "- name: relay\n  port: 9080\n  targetPort: 9080"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTemplateRefuses(t *testing.T) {
	inner := func(v map[string]any, key string) map[string]any { return v[key].(map[string]any) }
	for _, tt := range []struct {
		change func(v map[string]any)
		want   string
	}{
		{func(v map[string]any) { v["imag"] = "x" }, `no option "imag"`},
		{func(v map[string]any) { delete(v, "image") }, "image is missing"},
		{func(v map[string]any) { delete(v, "workload") }, "workload is missing"},
		{func(v map[string]any) { v["kind"] = "Deploymnet" }, `kind "Deploymnet"`},
		{func(v map[string]any) { v["kind"], v["ordinary"] = "Job", true }, "a Job never ends"},
		{func(v map[string]any) { delete(v, "redis") }, "redis is missing"},
		{func(v map[string]any) { delete(inner(v, "redis"), "secretKey") }, "without redis.secretKey"},
		{func(v map[string]any) { inner(v, "redis")["uri"] = "x" }, `redis has no option "uri"`},
		{func(v map[string]any) { inner(v, "redis")["url"] = "redis://x" }, "more than once"},
		{func(v map[string]any) { inner(v, "redis")["none"] = true }, "more than once"},
		{func(v map[string]any) { v["ports"] = map[string]any{"web": 1} }, `ports has no option "web"`},
		{func(v map[string]any) { v["resources"] = map[string]any{"limits": 1} }, `resources has no option "limits"`},
		{func(v map[string]any) { v["resources"] = map[string]any{"memoryLimit": "much"} }, "not a quantity"},
		{func(v map[string]any) { v["gracePeriod"] = "60s" }, "not a number of seconds"},
		{func(v map[string]any) { inner(v, "env")["RELAY_HISTORY_SIZ"] = "1" }, "RELAY_HISTORY_SIZ is no setting"},
		{func(v map[string]any) { inner(v, "env")["RELAY_OPS_ADDR"] = ":1" }, "RELAY_OPS_ADDR is no setting"},
		{func(v map[string]any) { inner(v, "env")["RELAY_API_KEYS"] = "k" }, "RELAY_API_KEYS is a secret"},
		{func(v map[string]any) { inner(v, "secrets")["RELAY_OPEN"] = map[string]any{} }, "RELAY_OPEN is no secret"},
		{func(v map[string]any) { delete(inner(inner(v, "secrets"), "RELAY_JWT_SECRET"), "key") }, "RELAY_JWT_SECRET needs name and key"},
	} {
		v := values(sidecar.Deployment, options())
		tt.change(v)
		if _, err := render(t, "relay.sidecar", v); err == nil || !strings.Contains(err.Error(), "relay.sidecar: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want a failure with %q", err, tt.want)
		}
	}
}
