package sidecar_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"relay/sidecar"
)

var update = flag.Bool("update", false, "write the golden files anew")

// options are those of a team that has everything in a Secret.
func options() sidecar.Options {
	return sidecar.Options{
		Image:   "registry.example.com/relay:1.2.3",
		Redis:   sidecar.Redis{Secret: sidecar.Ref{Name: "app-redis", Key: "url"}},
		Secrets: map[string]sidecar.Ref{"RELAY_JWT_SECRET": {Name: "app-relay", Key: "jwt-secret"}},
	}
}

// allOptions give everything that can be given.
func allOptions() sidecar.Options {
	return sidecar.Options{
		Name: "events", Image: "registry.example.com:5000/team/relay@sha256:0123abcd",
		Redis:     sidecar.Redis{URL: `redis://cache:6379/2?a="$(X)"`},
		Secrets:   map[string]sidecar.Ref{"RELAY_JWT_SECRET": {Name: "app", Key: "jwt"}, "RELAY_API_KEYS": {Name: "keys", Key: "all"}},
		Env:       map[string]string{"RELAY_PREFIX": `a"b\c$d: #é`, "RELAY_HISTORY_SIZE": "1000", "RELAY_DRAIN_DELAY": "1s", "RELAY_OPEN": "true"},
		Ports:     sidecar.Ports{Public: 9080, API: 9081, Ops: 9082},
		Resources: sidecar.Resources{CPURequest: "100m", MemoryRequest: "128Mi", MemoryLimit: "1Gi"},
	}
}

func ordinary(o sidecar.Options) sidecar.Options {
	o.Ordinary = true
	return o
}

// golden holds a text against a file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has drifted from what is written now (go test -update writes it anew):\n%s", path, got)
	}
}

// printed are the shapes of which every byte is looked at.
var printed = []struct {
	name    string
	kind    sidecar.Kind
	options sidecar.Options
}{
	{"deployment", sidecar.Deployment, options()},
	{"statefulset-ordinary", sidecar.StatefulSet, ordinary(options())},
	{"daemonset-all-options", sidecar.DaemonSet, allOptions()},
	{"cronjob", sidecar.CronJob, options()},
	{"cronjob-all-options", sidecar.CronJob, allOptions()},
	{"pod-without-redis", sidecar.Pod, sidecar.Options{Image: "relay:1", Redis: sidecar.Redis{None: true}}},
}

func TestPrint(t *testing.T) {
	for _, tt := range printed {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := sidecar.Print(tt.kind, "web", tt.options)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/print/"+tt.name+".yaml", got)
		})
	}
}

// A file in testdata/inject comes in three: as it was, and as it is with the
// sidecar in either shape.
func TestInjectGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/inject/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 5 {
		t.Fatalf("there are only %d files", len(files))
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(filepath.Base(path), ".yaml")
			golden(t, "testdata/native/"+name+".yaml", check(t, string(content), options()))
			if !strings.Contains(name, "job") {
				golden(t, "testdata/ordinary/"+name+".yaml", check(t, string(content), ordinary(options())))
			}
		})
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		change func(o *sidecar.Options)
		want   string
	}{
		{func(o *sidecar.Options) { o.Image = "" }, "no image"},
		{func(o *sidecar.Options) { o.Image = "relay: 1" }, "not the name of an image"},
		{func(o *sidecar.Options) { o.Name = "Relay" }, "not the name of a container"},
		{func(o *sidecar.Options) { o.Redis = sidecar.Redis{} }, "no Redis"},
		{func(o *sidecar.Options) { o.Redis.URL = "redis://x" }, "more than one Redis"},
		{func(o *sidecar.Options) { o.Redis.None = true }, "more than one Redis"},
		{func(o *sidecar.Options) { o.Ports.API = 70000 }, "70000 is not a port"},
		{func(o *sidecar.Options) { o.Ports.API = 8080 }, "the same port"},
		{func(o *sidecar.Options) { o.Resources.MemoryLimit = "much" }, "not a quantity of memory"},
		{func(o *sidecar.Options) { o.Resources.MemoryLimit = "256" }, "not a quantity of memory"},
		{func(o *sidecar.Options) { o.Resources.CPURequest = "1Gi" }, "not a quantity of CPU"},
		{func(o *sidecar.Options) { o.Env = map[string]string{"RELAY_JWT_SECRET": "x"} }, "twice"},
		{func(o *sidecar.Options) { o.Env = map[string]string{"RELAY_OPS_ADDR": ":1"} }, "RELAY_OPS_ADDR follows"},
		{func(o *sidecar.Options) { o.Secrets["RELAY_REDIS_URL"] = sidecar.Ref{Name: "a", Key: "b"} }, "RELAY_REDIS_URL follows"},
	} {
		o := options()
		tt.change(&o)
		var refusals sidecar.Refusals
		_, _, err := sidecar.Inject("kind: Pod", o, nil)
		if !errors.As(err, &refusals) || !strings.Contains(err.Error(), tt.want) || refusals[0].Hint == "" {
			t.Errorf("got %v, want a refusal with %q and a hint", err, tt.want)
		}
	}
	if _, _, err := sidecar.Print(sidecar.Job, "web", ordinary(options())); err == nil || !strings.Contains(err.Error(), "never ends") {
		t.Errorf("an ordinary sidecar for a Job: %v", err)
	}
}

func TestParseRef(t *testing.T) {
	if ref, err := sidecar.ParseRef("app-redis/tls.url"); err != nil || ref != (sidecar.Ref{Name: "app-redis", Key: "tls.url"}) {
		t.Errorf("%v %v", ref, err)
	}
	for _, bad := range []string{"", "a", "a/", "/b", "A/b", "a/b c", "a/b/c"} {
		if ref, err := sidecar.ParseRef(bad); err == nil {
			t.Errorf("%q was taken as %v", bad, ref)
		}
	}
}
