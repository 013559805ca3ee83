//go:build kube

package kube

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestInjected: what `relay inject` makes of a manifest publishes and delivers.
func TestInjected(t *testing.T) {
	for name, args := range map[string][]string{"native": nil, "ordinary": {"--ordinary"}} {
		t.Run(name, func(t *testing.T) {
			n := newNamespace(t)
			n.redis()
			n.deploy(app{Replicas: 2, Grace: 30}, args...)
			n.gatherApp(small).end()
		})
	}
}

// TestStandalone: the chart by itself publishes and delivers, `helm test` says
// so too, and an upgrade under a crowd loses nothing.
func TestStandalone(t *testing.T) {
	n := newNamespace(t)
	n.redis()
	n.apiSecret()
	n.install("relay")

	config := small
	config.Key = apiKey
	public, api := n.address("relay", 80), n.address("relay-api", 8081)
	a := n.gather(config, public, api)
	// The test's pod asks for the Services by their names. Not every cluster
	// has a DNS, and to give the pods names is an upgrade worth trying.
	n.helm(append([]string{"upgrade", "relay", chart, "--wait", "--timeout=3m"}, n.values(
		"hostAliases[0].ip="+hostOf(public), "hostAliases[0].hostnames[0]=relay",
		"hostAliases[1].ip="+hostOf(api), "hostAliases[1].hostnames[0]=relay-api")...)...)
	a.end()
	n.helm("test", "relay", "--timeout=2m")
	n.helm("uninstall", "relay", "--wait", "--timeout=3m")
}

// TestConsumer: a chart that takes the sidecar from the relay's chart publishes
// and delivers.
func TestConsumer(t *testing.T) {
	n := newNamespace(t)
	n.redis()
	p := things(t)
	n.helm("install", "shop", n.consumer(), "--wait", "--timeout=3m",
		"--set-string", "image="+p.app, "--set-string", "relayImage="+p.relay)
	n.gather(small, n.address("app", 8080), n.address("app", 80)).end()
}

// TestEveryKindIsTaken: the API server takes what `relay inject` makes of every
// kind that it knows.
func TestEveryKindIsTaken(t *testing.T) {
	n := newNamespace(t)
	for name, c := range map[string]struct {
		args  []string
		kinds []string
	}{
		"native":   {nil, []string{"deployment", "statefulset", "daemonset", "replicaset", "job", "cronjob", "pod"}},
		"ordinary": {[]string{"--ordinary", "--only", "web,store,agent,old,alone"}, []string{"deployment", "statefulset", "daemonset", "replicaset", "pod"}},
	} {
		injected := n.inject(read(t, "testdata/kinds.yaml"), c.args...)
		if got := strings.Count(injected, `["/relay", "drain"]`); got != len(c.kinds) {
			t.Errorf("%s: %d relays for %d kinds:\n%s", name, got, len(c.kinds), injected)
		}
		taken := n.feed(injected, "apply", "--dry-run=server", "-f", "-")
		for _, kind := range c.kinds {
			if !strings.Contains(taken, kind) {
				t.Errorf("%s: no %s is among what was taken:\n%s", name, kind, taken)
			}
		}
		t.Logf("%s: the API server takes\n%s", name, taken)
	}
}

// TestValues: what the chart makes of every file in ci is taken by the API
// server, as far as it has the kind. The others were only rendered.
func TestValues(t *testing.T) {
	n := newNamespace(t)
	has, version := n.apiKinds(), n.version()
	files, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("the chart has no values in ci: %v", err)
	}
	rendered := map[string]int{}
	for _, file := range files {
		// A fixed address may lie outside of this cluster's range.
		out := n.helm("template", "relay", chart, "-f", file, "--set", "service.clusterIP=,api.service.clusterIP=", "--kube-version", version)
		var taken []string
		for doc := range strings.SplitSeq(out, "\n---\n") {
			kind := kindOf(doc)
			switch {
			case kind == "":
				continue
			case !slices.Contains(has, kind):
				rendered[kind]++
				continue
			}
			if out, err := n.run(doc, "apply", "--dry-run=server", "-f", "-"); err != nil {
				t.Errorf("%s: %s", filepath.Base(file), out)
				continue
			}
			taken = append(taken, kind)
		}
		if len(taken) == 0 && !strings.Contains(file, "sidecar-only") {
			t.Errorf("%s makes nothing that a cluster has", file)
		}
		t.Logf("%s: the API server takes %s", filepath.Base(file), strings.Join(taken, ", "))
	}
	t.Logf("only rendered, since this cluster does not have the kind: %v", rendered)
}

// apiKinds are the kinds that the cluster has, as kindOf writes them.
func (n *namespace) apiKinds() []string {
	n.t.Helper()
	var kinds []string
	for line := range strings.Lines(n.kubectl("api-resources", "--no-headers")) {
		// NAME SHORTNAMES APIVERSION NAMESPACED KIND, of which the second may miss.
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		kinds = append(kinds, fields[len(fields)-3]+" "+fields[len(fields)-1])
	}
	return kinds
}

// version is the cluster's. Helm renders for the one that it was built with if
// it is not told.
func (n *namespace) version() string {
	n.t.Helper()
	var v struct{ ServerVersion struct{ GitVersion string } }
	if err := json.Unmarshal([]byte(n.kubectl("version", "-o", "json")), &v); err != nil {
		n.t.Fatal(err)
	}
	return v.ServerVersion.GitVersion
}

var (
	apiVersionLine = regexp.MustCompile(`(?m)^apiVersion: (\S+)`)
	kindLine       = regexp.MustCompile(`(?m)^kind: (\S+)`)
)

// kindOf is what a document is, like "apps/v1 Deployment", or "".
func kindOf(doc string) string {
	version, kind := apiVersionLine.FindStringSubmatch(doc), kindLine.FindStringSubmatch(doc)
	if version == nil || kind == nil {
		return ""
	}
	return version[1] + " " + kind[1]
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func hostOf(address string) string {
	host, _, _ := strings.Cut(address, ":")
	return host
}
