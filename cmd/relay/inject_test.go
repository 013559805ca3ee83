package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"relay/cmd/relay/internal/config"
	"relay/sidecar"
)

// open lets everybody in, so that a test need not say who may come.
var openSidecar = []string{"--image", "relay:1", "--redis-secret", "app/redis", "--set", "RELAY_OPEN=true"}

func inject(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return call(t, nil, strings.NewReader(stdin), append([]string{"inject"}, args...)...)
}

func TestInjectWritesBack(t *testing.T) {
	original, err := os.ReadFile("testdata/manifests/web.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path, link := filepath.Join(folder, "web.yaml"), filepath.Join(folder, "link.yaml")
	if err := os.WriteFile(path, original, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	printed, stderr, code := inject(t, "", append(openSidecar, "-f", path)...)
	if code != exitOK {
		t.Fatalf("%d %s", code, stderr)
	}
	if stdout, stderr, code := inject(t, "", append(openSidecar, "-f", link, "--write")...); code != exitOK || stdout != "" {
		t.Fatalf("%d %s %s", code, stdout, stderr)
	}
	expectFile(t, path, printed)
	if _, stderr, code := inject(t, "", "-f", path, "--uninject", "--write"); code != exitOK {
		t.Fatalf("%d %s", code, stderr)
	}
	expectFile(t, path, string(original))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	// What is refused changes nothing, and nothing is left beside the file.
	if _, _, code := inject(t, "", append(openSidecar, "-f", path, "--write", "--only", "x")...); code != exitFailed {
		t.Errorf("exit %d", code)
	}
	expectFile(t, path, string(original))
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("%v %v", entries, err)
	}
}

func expectFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%v, the file holds\n%s\nwant\n%s", err, got, want)
	}
}

func TestInjectReadsStandardInput(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: app\n"
	out, stderr, code := inject(t, pod, append(openSidecar, "-f", "-")...)
	if code != exitOK || !strings.Contains(out, "relay:1") {
		t.Fatalf("%d %s", code, stderr)
	}
	if back, _, _ := inject(t, out, "-f", "-", "--uninject"); back != pod {
		t.Errorf("it comes out as %s", back)
	}
	if _, stderr, code := inject(t, "", append(openSidecar, "-f", "-")...); code != exitFailed || !strings.Contains(stderr, "standard input is empty") {
		t.Errorf("of nothing: %d %s", code, stderr)
	}
}

// The chart's template is what this program writes, with the settings of today.
func TestTemplateOfChart(t *testing.T) {
	const path = "../../charts/relay/templates/_sidecar.tpl"
	out, stderr, code := inject(t, "", "--template")
	if code != exitOK {
		t.Fatalf("%d %s", code, stderr)
	}
	if *update {
		if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	chart, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(chart) != out {
		t.Errorf("%s has drifted; run: go generate ./cmd/relay", path)
	}
}

// What Kubernetes asks of the sidecar is what the relay answers.
func TestProbesOfSidecarAreAnswered(t *testing.T) {
	out, stderr, code := inject(t, "", append(openSidecar, "--print", "--for", "deployment/web")...)
	if code != exitOK {
		t.Fatalf("%d %s", code, stderr)
	}
	type probe struct{ HTTPGet struct{ Path string } }
	var containers []struct {
		StartupProbe, LivenessProbe, ReadinessProbe probe
	}
	// The library reads the names of fields in lower case, Kubernetes's are not.
	if err := yaml.Unmarshal([]byte(strings.ToLower(out)), &containers); err != nil {
		t.Fatal(err)
	}
	relay := start(t, []string{"RELAY_LOG_FORMAT=json"}, "--public-addr", "127.0.0.1:0", "--api-addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0")
	var at struct{ Ops string }
	if err := json.Unmarshal([]byte(relay.stderr.waitFor(t, `"listening"`)), &at); err != nil {
		t.Fatal(err)
	}
	for _, p := range []probe{containers[0].StartupProbe, containers[0].LivenessProbe, containers[0].ReadinessProbe} {
		response, err := http.Get("http://" + at.Ops + p.HTTPGet.Path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if p.HTTPGet.Path == "" || response.StatusCode != http.StatusOK {
			t.Errorf("%q answers %d", p.HTTPGet.Path, response.StatusCode)
		}
	}
	relay.stop()
	if code := relay.exit(t); code != exitOK {
		t.Errorf("exit %d", code)
	}
}

// What the sidecar is told is what the relay understands: a renamed setting
// would stop every pod.
func TestSidecarIsToldSettings(t *testing.T) {
	known := make(map[string]bool)
	for _, s := range config.Settings() {
		known[s.Env()] = true
	}
	for _, kind := range sidecar.Kinds() {
		_, env, err := sidecar.Print(kind, "web", sidecar.Options{Image: "relay:1", Redis: sidecar.Redis{URL: "redis://redis"}})
		if err != nil {
			t.Fatal(err)
		}
		for name := range env {
			if strings.HasPrefix(name, "RELAY_") && !known[name] {
				t.Errorf("%s: there is no setting %s", kind, name)
			}
		}
	}
}
