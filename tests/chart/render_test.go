//go:build chart

package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"relay/tests/relaytest"
)

// Kinds of objects that each file in ci makes, with how many of one there are,
// and nothing else.
var made = map[string]string{
	"minimal":         "ConfigMap Deployment Service ServiceAccount",
	"open":            "ConfigMap Deployment Pod PodDisruptionBudget Service*2 ServiceAccount",
	"production":      "ConfigMap Deployment NetworkPolicy Pod PodDisruptionBudget PodMonitor PrometheusRule Service*2 ServiceAccount",
	"ingress-nginx":   "ConfigMap Deployment Ingress Pod PodDisruptionBudget Service*2 ServiceAccount",
	"ingress-alb":     "Deployment Ingress Pod PodDisruptionBudget Service*2 ServiceAccount",
	"ingress-traefik": "Deployment Ingress Pod PodDisruptionBudget Service*2 ServiceAccount",
	"gateway":         "Deployment HTTPRoute Pod PodDisruptionBudget Service*3 ServiceAccount",
	"autoscaling":     "ConfigMap Deployment HorizontalPodAutoscaler Pod PodDisruptionBudget Service*2 ServiceAccount",
	"redis-cluster":   "ConfigMap Deployment Pod PodDisruptionBudget Service*2 ServiceAccount",
	"tuned":           "ConfigMap Deployment HorizontalPodAutoscaler Pod PodMonitor Service*2",
	"sidecar-only":    "",
}

func TestCIFiles(t *testing.T) {
	if files := ciFiles(t); len(files) != len(made) {
		t.Errorf("%d files in ci, %d are known here", len(files), len(made))
	}
	for name, kinds := range made {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(chartDir, "ci", name+"-values.yaml")
			if out, err := helm(t, "lint", "--strict", chartDir, "--values", file, "--kube-version", kubeVersion); err != nil {
				t.Errorf("helm lint: %s", out)
			}
			all := render(t, "--values", file)
			if got := kindsOf(all); got != kinds {
				t.Fatalf("made %s\nwant %s", got, kinds)
			}
			if kinds == "" {
				return
			}
			checkTogether(t, all)
			checkRelayPod(t, one(t, all, "Deployment"))
			checkProgramTakes(t, all)
		})
	}
}

func kindsOf(all []object) string {
	counts := map[string]int{}
	for _, o := range all {
		counts[o.Kind]++
	}
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[kind]; n > 1 {
			kind += "*" + strconv.Itoa(n)
		}
		list = append(list, kind)
	}
	return strings.Join(list, " ")
}

// selects reports whether a selector, of whatever kind, takes in labels.
func selects(selector map[string]any, labels map[string]string) bool {
	if inner, ok := selector["matchLabels"].(map[string]any); ok {
		selector = inner
	}
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}

// checkTogether holds the objects against each other.
func checkTogether(t *testing.T, all []object) {
	t.Helper()
	deployment := one(t, all, "Deployment")
	relayPod := deployment.Spec.Template
	names := map[string]bool{}
	for _, o := range all {
		if id := o.Kind + "/" + o.Metadata.Name; names[id] {
			t.Errorf("there are two %s", id)
		} else {
			names[id] = true
		}
		for _, selector := range []map[string]any{o.Spec.Selector, o.Spec.PodSelector} {
			if selector == nil {
				continue
			}
			if !selects(selector, relayPod.Metadata.Labels) {
				t.Errorf("%s %s does not select the relays: %v", o.Kind, o.Metadata.Name, selector)
			}
			for _, p := range all {
				if p.Kind == "Pod" && selects(selector, p.Metadata.Labels) {
					t.Errorf("%s %s selects the test's pod as well", o.Kind, o.Metadata.Name)
				}
			}
		}
		switch o.Kind {
		case "Service":
			checkService(t, o, relayPod.Spec.Containers[0])
		case "Pod":
			checkRestricted(t, o.Spec.pod)
			checkFiles(t, o.Spec.pod)
		case "ServiceAccount":
			if o.AutomountServiceAccountToken == nil || *o.AutomountServiceAccountToken {
				t.Error("the ServiceAccount mounts its token")
			}
			if relayPod.Spec.ServiceAccountName != o.Metadata.Name {
				t.Errorf("the pods run as %s", relayPod.Spec.ServiceAccountName)
			}
		}
	}
}

func checkService(t *testing.T, o object, c container) {
	t.Helper()
	for _, port := range o.Spec.Ports {
		// Kubernetes resolves a named port wrongly for some pods; a number is a number.
		target, ok := port.TargetPort.(float64)
		if !ok || !slices.ContainsFunc(c.Ports, func(p struct{ ContainerPort int }) bool { return p.ContainerPort == int(target) }) {
			t.Errorf("Service %s leads to the port %v, which the relay has not", o.Metadata.Name, port.TargetPort)
		}
	}
}

// checkRestricted holds a pod against the restricted profile of the Pod
// Security Standards, and against what the chart promises beyond.
func checkRestricted(t *testing.T, p pod) {
	t.Helper()
	if !p.SecurityContext.RunAsNonRoot || p.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
		t.Errorf("the pod is not restricted: %+v", p.SecurityContext)
	}
	if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken || p.EnableServiceLinks == nil || *p.EnableServiceLinks {
		t.Error("the pod gets a token, or the variables of Services")
	}
	for _, c := range p.Containers {
		s := c.SecurityContext
		if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
			!slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || s.Capabilities.Add != nil {
			t.Errorf("the container %s is not restricted: %+v", c.Name, s)
		}
	}
}

// files are what a pod's containers find mounted, path to what it is.
func files(t *testing.T, p pod) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range p.Containers[0].VolumeMounts {
		if !m.ReadOnly {
			t.Errorf("%s can be written", m.MountPath)
		}
		known := false
		for _, v := range p.Volumes {
			if v.Name != m.Name {
				continue
			}
			known = true
			if v.ConfigMap != nil && v.Name == "config" {
				found[m.MountPath+"/relay.yaml"] = "configmap " + v.ConfigMap.Name
			}
			if v.Name == "redis-ca" {
				found[m.MountPath+"/ca.crt"] = "authorities"
			}
			for _, s := range v.Projected.Sources {
				for _, item := range s.Secret.Items {
					found[m.MountPath+"/"+item.Path] = "secret " + s.Secret.Name + " " + item.Key
				}
			}
		}
		if !known {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
	if len(p.Volumes) != len(p.Containers[0].VolumeMounts) {
		t.Errorf("%d volumes, %d of them mounted", len(p.Volumes), len(p.Containers[0].VolumeMounts))
	}
	return found
}

// checkFiles wants each file that a variable names to be there, and each file
// that is there to be named.
func checkFiles(t *testing.T, p pod) {
	t.Helper()
	mounted := files(t, p)
	named := map[string]bool{}
	for _, v := range p.Containers[0].Env {
		if strings.HasPrefix(v.Value, "/") {
			if named[v.Value] = true; mounted[v.Value] == "" {
				t.Errorf("%s names %s, which is not mounted", v.Name, v.Value)
			}
		}
	}
	for path := range mounted {
		if !named[path] {
			t.Errorf("%s is mounted for nothing", path)
		}
	}
}

// checkRelayPod looks at what decides whether clients notice a rollout.
func checkRelayPod(t *testing.T, deployment object) {
	t.Helper()
	p := deployment.Spec.Template.Spec
	checkRestricted(t, p)
	checkFiles(t, p)
	c := p.Containers[0]
	if got := c.Lifecycle.PreStop.Exec.Command; !slices.Equal(got, []string{"/relay", "drain"}) {
		t.Errorf("preStop runs %q", got)
	}
	if got, want := c.variable("RELAY_GRACE_PERIOD"), fmt.Sprintf("%ds", p.TerminationGracePeriodSeconds); got != want {
		t.Errorf("the relay is told a grace of %s, the kubelet %s", got, want)
	}
	var needed time.Duration
	for _, name := range []string{"RELAY_DRAIN_DELAY", "RELAY_DRAIN_WINDOW"} {
		d, err := time.ParseDuration(c.variable(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		needed += d
	}
	if grace := time.Duration(p.TerminationGracePeriodSeconds) * time.Second; grace < needed+5*time.Second {
		t.Errorf("the drain takes %v and has %v", needed, grace)
	}
	for path, probe := range map[string]struct {
		HTTPGet struct {
			Path string
			Port any
		}
	}{"/startupz": c.StartupProbe, "/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe.HTTPGet.Path != path || probe.HTTPGet.Port != 8082.0 {
			t.Errorf("%s is asked at %+v", path, probe.HTTPGet)
		}
	}
	for _, s := range p.TopologySpreadConstraints {
		if !selects(s.LabelSelector, deployment.Spec.Template.Metadata.Labels) || !slices.Equal(s.MatchLabelKeys, []string{"pod-template-hash"}) {
			t.Errorf("the spread over %s counts %v by %v", s.TopologyKey, s.LabelSelector, s.MatchLabelKeys)
		}
	}
}

// secretTexts are what the Secrets of the ci files would hold.
var secretTexts = map[string]string{
	"redis-url": "rediss://user:pa%2Fss@redis.example.com:6380", "api-keys": "one\ntwo\n", "jwt-secret": "0123456789abcdef0123456789abcdef",
	"ticket-secret": "fedcba9876543210fedcba9876543210",
}

// checkProgramTakes gives the real program the environment and the file that
// the chart makes: `relay config` refuses what would stop the start.
func checkProgramTakes(t *testing.T, all []object) {
	t.Helper()
	p := one(t, all, "Deployment").Spec.Template.Spec
	dir := t.TempDir()
	for path, what := range files(t, p) {
		words := strings.Fields(what)
		content := "no matter"
		switch words[0] {
		case "configmap":
			content = one(t, all, "ConfigMap").Data["relay.yaml"]
			if one(t, all, "ConfigMap").Metadata.Name != words[1] {
				t.Errorf("the ConfigMap is not called %s", words[1])
			}
		case "secret":
			if content = secretTexts[words[2]]; content == "" {
				t.Fatalf("what is the key %s?", words[2])
			}
		}
		if err := os.MkdirAll(filepath.Dir(dir+path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(relaytest.PlainBinary(t), "config")
	cmd.Env = []string{"KUBERNETES_SERVICE_HOST=10.0.0.1"}
	for _, v := range p.Containers[0].Env {
		value := v.Value
		if strings.HasPrefix(value, "/") {
			value = dir + value
		}
		if v.ValueFrom.FieldRef.FieldPath == "metadata.labels['pod-template-hash']" {
			value = "5d4f8c7b9"
		}
		value = strings.ReplaceAll(value, "$(POD_TEMPLATE_HASH)", "5d4f8c7b9")
		if value == "" {
			t.Errorf("%s has no value", v.Name)
		}
		cmd.Env = append(cmd.Env, v.Name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the relay refuses it: %s", out)
	}
	if want := `generation: "live/` + one(t, all, "Deployment").Metadata.Name + `/5d4f8c7b9"`; !strings.Contains(string(out), want) {
		t.Errorf("no %s in:\n%s", want, out)
	}
	// What was set is in force.
	for _, o := range all {
		if o.Kind != "ConfigMap" {
			continue
		}
		for line := range strings.Lines(o.Data["relay.yaml"]) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if n, err := strconv.Atoi(value); err == nil && !strings.Contains(string(out), name+": "+strconv.Itoa(n)+" ") && !strings.Contains(name, "bytes") {
				t.Errorf("%s is not %d in:\n%s", name, n, out)
			}
		}
	}
}

func TestDetails(t *testing.T) {
	ci := func(name string) string { return filepath.Join(chartDir, "ci", name+"-values.yaml") }
	for _, tt := range []struct {
		file, kind, path string
		want             any
	}{
		{"minimal", "Deployment", "spec.replicas", 1},
		{"minimal", "Deployment", "spec.template.spec.containers.0.image", "relay:dev"},
		{"minimal", "Deployment", "spec.template.spec.terminationGracePeriodSeconds", 5 + 60 + 20 + 5},
		{"minimal", "Deployment", "spec.template.spec.containers.0.env.1.value", "127.0.0.1:8081"},
		{"open", "Deployment", "spec.template.spec.containers.0.image", "registry.example.com:5000/team/relay:2"},
		{"open", "Deployment", "spec.strategy.rollingUpdate.maxSurge", 1},
		{"open", "PodDisruptionBudget", "spec.maxUnavailable", 1},
		{"production", "Deployment", "spec.template.spec.containers.0.image", "registry.example.com/relay@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"production", "Deployment", "spec.template.spec.terminationGracePeriodSeconds", 5 + 120 + 45 + 5},
		{"production", "Deployment", "spec.strategy.rollingUpdate.maxSurge", "25%"},
		{"production", "Deployment", "spec.template.spec.imagePullSecrets.0.name", "registry"},
		{"production", "Deployment", "spec.template.metadata.labels.tier", "edge"},
		{"production", "Deployment", "spec.template.spec.tolerations.0.value", "edge"},
		{"production", "PodMonitor", "spec.podMetricsEndpoints.0.interval", "15s"},
		{"production", "PodMonitor", "spec.scrapeNativeHistograms", true},
		{"production", "PodMonitor", "metadata.labels.release", "prometheus"},
		{"production", "NetworkPolicy", "spec.policyTypes.1", "Egress"},
		{"production", "NetworkPolicy", "spec.ingress.0.from.0.namespaceSelector.matchLabels", map[string]any{"kubernetes.io/metadata.name": "ingress"}},
		{"production", "NetworkPolicy", "spec.ingress.0.from.1.podSelector.matchLabels", map[string]any{
			"app.kubernetes.io/name": "relay", "app.kubernetes.io/instance": "rel", "app.kubernetes.io/component": "check",
		}},
		{"production", "NetworkPolicy", "spec.ingress.1.from.1.podSelector.matchLabels", map[string]any{
			"app.kubernetes.io/name": "relay", "app.kubernetes.io/instance": "rel", "app.kubernetes.io/component": "check",
		}},
		{"production", "NetworkPolicy", "spec.egress.1.ports.1.port", 26379},
		{"autoscaling", "Deployment", "spec.replicas", nil},
		{"autoscaling", "HorizontalPodAutoscaler", "spec.metrics.0.type", "ContainerResource"},
		{"autoscaling", "HorizontalPodAutoscaler", "spec.metrics.0.containerResource.container", "relay"},
		{"autoscaling", "HorizontalPodAutoscaler", "spec.metrics.0.containerResource.target.averageUtilization", 60},
		{"autoscaling", "HorizontalPodAutoscaler", "spec.metrics.1.pods.metric.name", "relay_connections"},
		{"autoscaling", "HorizontalPodAutoscaler", "spec.metrics.1.pods.target.averageValue", "20000"},
		{"autoscaling", "HorizontalPodAutoscaler", "spec.scaleTargetRef.name", "rel-relay"},
		{"tuned", "HorizontalPodAutoscaler", "spec.metrics.0.type", "Pods"},
		{"tuned", "HorizontalPodAutoscaler", "spec.metrics.1", nil},
		{"tuned", "Deployment", "metadata.name", "live-events"},
		{"tuned", "Deployment", "spec.template.spec.serviceAccountName", "default"},
		{"tuned", "Deployment", "spec.template.spec.hostAliases.0.hostnames.0", "redis.example.com"},
		{"tuned", "Deployment", "spec.template.spec.topologySpreadConstraints.1", nil},
		{"tuned", "Pod", "spec.containers.0.command", []any{"/relay", "check", "--url=http://live-events:8080", "--api-url=http://live-events-api:80", "--timeout=60s"}},
		{"redis-cluster", "Pod", "spec.containers.0.command.2", "public.relay-check"},
		{"redis-cluster", "Deployment", "spec.template.spec.securityContext.runAsUser", nil},
		{"redis-cluster", "Deployment", "spec.template.spec.topologySpreadConstraints", nil},
		{"redis-cluster", "Deployment", "spec.template.spec.terminationGracePeriodSeconds", 40},
		{"ingress-nginx", "Pod", "spec.containers.0.command.2", "--url=http://rel-relay:80/live"},
		{"ingress-nginx", "Ingress", "spec.rules.1.http.paths.0.path", "/live"},
		{"ingress-nginx", "Ingress", "spec.rules.1.http.paths.0.backend.service", map[string]any{"name": "rel-relay", "port": map[string]any{"number": uint64(80)}}},
		{"ingress-nginx", "Ingress", "spec.ingressClassName", "nginx"},
		{"ingress-nginx", "Ingress", "metadata.annotations", map[string]any{
			"cert-manager.io/cluster-issuer":                 "letsencrypt",
			"nginx.ingress.kubernetes.io/proxy-buffering":    "off",
			"nginx.ingress.kubernetes.io/proxy-read-timeout": "120", // the user's beats ours
			"nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
		}},
		{"ingress-alb", "Ingress", "metadata.annotations", map[string]any{
			"alb.ingress.kubernetes.io/scheme":                   "internet-facing",
			"alb.ingress.kubernetes.io/target-type":              "ip",
			"alb.ingress.kubernetes.io/healthcheck-path":         "/readyz",
			"alb.ingress.kubernetes.io/healthcheck-port":         "8082",
			"alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=120",
			"alb.ingress.kubernetes.io/target-group-attributes":  "deregistration_delay.timeout_seconds=90",
		}},
		{"ingress-traefik", "Ingress", "metadata.annotations", nil},
		{"gateway", "HTTPRoute", "spec.parentRefs.0.name", "public"},
		{"gateway", "HTTPRoute", "spec.rules.0.timeouts.request", "0s"},
		{"gateway", "HTTPRoute", "spec.rules.0.backendRefs.0", map[string]any{"name": "rel-relay", "port": uint64(80)}},
		{"gateway", "HTTPRoute", "spec.hostnames.0", "live.example.com"},
	} {
		got := one(t, render(t, "--values", ci(tt.file)), tt.kind).at(tt.path)
		if n, ok := tt.want.(int); ok {
			tt.want = uint64(n)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %s %s is %#v, want %#v", tt.file, tt.kind, tt.path, got, tt.want)
		}
	}
}

// The alerts reach the cluster as they stand in the file, templates of
// Prometheus included.
func TestAlertsAreHandedOver(t *testing.T) {
	rule := one(t, render(t, "--values", filepath.Join(chartDir, "ci", "production-values.yaml")), "PrometheusRule")
	if want := readYAML(t, chartDir+"/files/alerts.yaml"); !reflect.DeepEqual(rule.raw["spec"], any(want)) {
		t.Errorf("got %v\nwant %v", rule.raw["spec"], want)
	}
}

// One relay needs no budget: it would only forbid to empty its node.
func TestBudget(t *testing.T) {
	for args, want := range map[string]bool{
		"replicas=2": true,
		"replicas=1": false,
		"replicas=1,autoscaling.enabled=true,autoscaling.minReplicas=1": false,
		"replicas=1,autoscaling.enabled=true,autoscaling.minReplicas=2": true,
	} {
		all := render(t, "--values", filepath.Join(chartDir, "ci", "open-values.yaml"), "--set", args)
		got := slices.ContainsFunc(all, func(o object) bool { return o.Kind == "PodDisruptionBudget" })
		if got != want {
			t.Errorf("%s: a budget: %v", args, got)
		}
	}
}

// Pods are replaced when their settings change, and only then.
func TestConfigRollsPods(t *testing.T) {
	template := func(set string) string {
		d := one(t, render(t, "--values", filepath.Join(chartDir, "ci", "open-values.yaml"), "--set", set), "Deployment")
		text, err := json.Marshal(d.at("spec.template"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	base := template("config.history_size=5")
	if base != template("config.history_size=5,replicas=7,service.port=81") {
		t.Error("the number of pods, or a Service, replaces pods")
	}
	if base == template("config.history_size=6") {
		t.Error("another setting does not replace pods")
	}
}

// What Go may use is nine tenths of the limit.
func TestMemoryLimit(t *testing.T) {
	for limit, want := range map[string]string{
		`"100Mi"`: "94371840", `"1.5Gi"`: "1449551462", `"200M"`: "180000000", `"536870912"`: "483183820", "536870912": "483183820",
	} {
		c := one(t, render(t, "--values", filepath.Join(chartDir, "ci", "open-values.yaml"), "--set-json", "resources.limits.memory="+limit), "Deployment").Spec.Template.Spec.Containers[0]
		if got := c.variable("GOMEMLIMIT"); got != want {
			t.Errorf("%s becomes %s, want %s", limit, got, want)
		}
	}
}

// A label of the pods beats the same one of everything.
func TestPodLabels(t *testing.T) {
	objects := render(t, "--values", filepath.Join(chartDir, "ci", "open-values.yaml"), "--set", "commonLabels.team=a,podLabels.team=b")
	d := one(t, objects, "Deployment")
	if d.Metadata.Labels["team"] != "a" || d.Spec.Template.Metadata.Labels["team"] != "b" {
		t.Errorf("%v, pods %v", d.Metadata.Labels, d.Spec.Template.Metadata.Labels)
	}
}

// The notes are shown to whoever installs. `helm template` shows none, and
// `helm install` wants a cluster: so a copy of the chart has them in an object.
func TestNotes(t *testing.T) {
	dir := copyChart(t, t.TempDir())
	object := `apiVersion: v1
kind: Notes
data:
  text: |
    {{- include (print $.Template.BasePath "/NOTES.txt") . | nindent 4 }}
`
	if err := os.WriteFile(dir+"/templates/notes.yaml", []byte(object), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"minimal":       {"through Redis", "open lets everybody", "there is no Redis", "nothing outside"},
		"ingress-nginx": {"wss://www.example.com/live/v1/ws?channel=NAME", "http://rel-relay-api.live:8081/v1/events", "helm test rel --namespace live", "in the Secret relay:"},
		"gateway":       {"wss://live.example.com/v1/ws"},
	} {
		out, err := helm(t, "template", "rel", dir, "--namespace", "live", "--kube-version", kubeVersion,
			"--values", filepath.Join(chartDir, "ci", name+"-values.yaml"), "--show-only", "templates/notes.yaml")
		if err != nil {
			t.Fatalf("%s: %s", name, out)
		}
		notes := one(t, objects(t, out), "Notes").Data["text"]
		for _, want := range wants {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: no %q in the notes:\n%s", name, want, notes)
			}
		}
		if name != "minimal" && strings.Contains(notes, "NOTE:") {
			t.Errorf("%s: a warning for nothing:\n%s", name, notes)
		}
	}
}

// copyChart copies the chart to DIR/relay.
func copyChart(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(dir, "relay")
	if err := os.CopyFS(to, os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	return to
}
