//go:build chart

package chart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The example's chart takes the sidecar from ours, and gets nothing else of it.
func TestConsumer(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(root+"/examples/helm")); err != nil {
		t.Fatal(err)
	}
	copyChart(t, filepath.Join(dir, "charts"))
	if out, err := helm(t, "lint", "--strict", dir, "--kube-version", kubeVersion); err != nil {
		t.Errorf("helm lint: %s", out)
	}
	out, err := helm(t, "template", "rel", dir, "--namespace", "live", "--kube-version", kubeVersion)
	if err != nil {
		t.Fatal(out)
	}
	all := objects(t, out)
	if got := kindsOf(all); got != "Deployment Service" {
		t.Fatalf("made %s", got)
	}
	p := one(t, all, "Deployment").Spec.Template.Spec
	if len(p.InitContainers) != 1 {
		t.Fatalf("%d sidecars", len(p.InitContainers))
	}
	sidecar := p.InitContainers[0]
	if sidecar.Name != "relay" || sidecar.RestartPolicy != "Always" || !slices.Equal(sidecar.Lifecycle.PreStop.Exec.Command, []string{"/relay", "drain"}) {
		t.Errorf("the sidecar is %+v", sidecar)
	}
	if got := sidecar.variable("RELAY_GRACE_PERIOD"); got != "60s" || p.TerminationGracePeriodSeconds != 60 {
		t.Errorf("the relay is told a grace of %s, the kubelet %d s", got, p.TerminationGracePeriodSeconds)
	}
	if got, want := sidecar.variable("RELAY_GENERATION"), "/rel-shop/$("; !strings.Contains(got, want) {
		t.Errorf("the generation is %s, without %s", got, want)
	}
	ports := one(t, all, "Service").Spec.Ports
	if len(ports) != 2 || ports[1].TargetPort != 8080.0 {
		t.Errorf("the Service has %+v", ports)
	}
}
