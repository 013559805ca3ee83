//go:build chart

package chart

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"relay/tests/redistest"
	"relay/tests/relaytest"
)

// Mistakes, as --set or --set-json arguments, that the schema refuses, and
// what it says.
func TestSchemaRefuses(t *testing.T) {
	for _, tt := range []struct{ set, want string }{
		{"replcas=3", "additional properties 'replcas' not allowed"},
		{"config.histroy_size=3", "additional properties 'histroy_size' not allowed"},
		{"config.redis_url=redis://redis", "additional properties 'redis_url' not allowed"},
		{"config.drain_window=5s", "additional properties 'drain_window' not allowed"},
		{"image.name=relay", "additional properties 'name' not allowed"},
		{"secrets.jwtsecret.name=x", "additional properties 'jwtsecret' not allowed"},
		{"secrets.jwtSecret.value=x", "additional properties 'value' not allowed"},
		{"resources.limit.memory=1Gi", "additional properties 'limit' not allowed"},
		{"networkPolicy.publicFrom[0].podselector.x=y", "additional properties 'podselector' not allowed"},
		{"ingress.tls[0].secret=x", "additional properties 'secret' not allowed"},
		{"httpRoute.parentRefs[0].namespace=x", "missing property 'name'"},
		{"affinity.podAffinitiy.x=y", "additional properties 'podAffinitiy' not allowed"},
		{"config.channels[0].history_size=5", "missing property 'match'"},
		{"replicas=0", "/replicas"},
		{"replicas=two", "got string, want integer"},
		{"config.open=maybe", "got string, want boolean"},
		{"config.history_ttl=10", "got number, want string"},
		{"config.history_ttl=ten", "/config/history_ttl"},
		{"config.public_channels=news", "got string, want array"},
		{"config.allowed_origins={app.example.com}", "/config/allowed_origins/0"},
		{"config.allowed_origins={https://app.example.com/}", "/config/allowed_origins/0"},
		{"config.public_path=live", "/config/public_path"},
		{"config.log_level=loud", "/config/log_level"},
		{"drain.windowSeconds=20s", "/drain/windowSeconds"},
		{"terminationGracePeriodSeconds=1m", "/terminationGracePeriodSeconds"},
		{"rollout.maxSurge=101%", "/rollout/maxSurge"},
		{"service.type=Clusterip", "/service/type"},
		{"service.port=70000", "/service/port"},
		{"redis.url=redis.example.com:6379", "/redis/url"},
		{"image.pullPolicy=always", "/image/pullPolicy"},
		{"image.repository=relay:1.0", "/image/repository"},
		{"image.digest=sha256:12", "/image/digest"},
		{"ingress.controller=haproxy", "/ingress/controller"},
		{"resources.limits.memory=512MB", "/resources/limits/memory"},
		{"resources.limits.memory=512", "/resources/limits/memory"},
		{"user=0", "/user"},
	} {
		out, err := helm(t, "template", "rel", chartDir, "--kube-version", kubeVersion, "--values", filepath.Join(chartDir, "ci", "open-values.yaml"), "--set", tt.set)
		if err == nil || !strings.Contains(out, "don't meet the specifications of the schema") || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v, want %s:\n%s", tt.set, err, tt.want, clip(out))
		}
	}
}

// Null takes a value's default away. The chart can do without it, or says so in
// a sentence: never by a template that fails.
func TestNull(t *testing.T) {
	var walk func(path string, values map[string]any)
	walk = func(path string, values map[string]any) {
		for name, v := range values {
			key := path + name
			out, err := helm(t, "template", "rel", chartDir, "--kube-version", kubeVersion, "--values", filepath.Join(chartDir, "ci", "production-values.yaml"), "--set", key+"=null")
			if err != nil && !strings.Contains(out, "missing propert") && !strings.Contains(out, "These values cannot work:") {
				t.Errorf("%s=null: %s", key, clip(out))
			}
			if v, ok := v.(map[string]any); ok {
				walk(key+".", v)
			}
		}
	}
	walk("", readYAML(t, chartDir+"/values.yaml"))
}

// clip keeps a whole rendered chart out of the log.
func clip(s string) string {
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}

// Values that do not go together, and the sentence that each gets.
func TestSentences(t *testing.T) {
	for _, tt := range []struct{ set, want string }{
		{"redis.url=", "there is more than one relay, and no Redis to join them"},
		{"redis.url=,replicas=1,autoscaling.enabled=true", "there is more than one relay, and no Redis to join them"},
		{"secrets.redisUrl.name=x", "both redis.url and secrets.redisUrl.name are set"},
		{"redis.url=redis://user:pass@redis:6379", "redis.url holds a password"},
		{"redis.url=redis://:pass@redis:6379", "redis.url holds a password"},
		{"redis.ca.secret=x,redis.ca.configMap=y", "both redis.ca.configMap and redis.ca.secret are set"},
		{"config.open=false", "nothing says who may subscribe"},
		{"secrets.apiKeys.name=", "without keys anyone there could publish"},
		{"terminationGracePeriodSeconds=29", "terminationGracePeriodSeconds is 29, and the drain needs 30: 5 of delay, 20 of window and 5 to end"},
		{"terminationGracePeriodSeconds=60,drain.windowSeconds=120", "the drain needs 130"},
		{"rollout.maxSurge=0", "no pod could ever be replaced"},
		{"rollout.maxSurge=0%,rollout.maxUnavailable=0%", "no pod could ever be replaced"},
		{"autoscaling.enabled=true,autoscaling.minReplicas=11", "autoscaling.minReplicas is greater than autoscaling.maxReplicas"},
		{"autoscaling.enabled=true,autoscaling.cpu=0", "autoscaling has nothing to go by"},
		{"autoscaling.enabled=true,resources.requests.cpu=null", "it requests no CPU"},
		{"ingress.enabled=true", "Set ingress.hosts"},
		{"httpRoute.enabled=true", "Set httpRoute.parentRefs"},
		{"service.nodePort=30000", "service.nodePort means nothing for service.type=ClusterIP"},
		{`podLabels.app\.kubernetes\.io/name=x`, "commonLabels or podLabels has app.kubernetes.io/name"},
		{`commonLabels.pod-template-hash=x`, "commonLabels or podLabels has pod-template-hash"},
		{"env[0].name=RELAY_OPEN,env[0].value=x", "env sets RELAY_OPEN"},
	} {
		out, err := helm(t, "template", "rel", chartDir, "--kube-version", kubeVersion, "--values", filepath.Join(chartDir, "ci", "open-values.yaml"), "--set", tt.set)
		if err == nil || !strings.Contains(out, "These values cannot work:") || !strings.Contains(out, tt.want) || strings.Count(out, "\n  - ") != 1 {
			t.Errorf("%s: %v, want one sentence, %s:\n%s", tt.set, err, tt.want, clip(out))
		}
	}
	// Whoever installs it with nothing is told everything at once.
	out, err := helm(t, "template", "rel", chartDir, "--kube-version", kubeVersion)
	if err == nil || strings.Count(out, "\n  - ") != 3 {
		t.Errorf("%v, want three sentences:\n%s", err, clip(out))
	}
}

// What docs/kubernetes.md says that helm and the relay say, they say.
func TestDocumentedMistakes(t *testing.T) {
	said := map[string]string{"helm": "", "relay": relaysMistakes(t)}
	for _, set := range []string{
		"replcas=3", "config.histroy_size=3", "redis.url=", "config.open=false", "secrets.apiKeys.name=",
		"terminationGracePeriodSeconds=20", "redis.url=redis://:pass@redis:6379",
	} {
		out, _ := helm(t, "template", "rel", chartDir, "--kube-version", kubeVersion, "--values", filepath.Join(chartDir, "ci", "open-values.yaml"), "--set", set)
		said["helm"] += out
	}
	rows := regexp.MustCompile("(?m)^\\|[^|]+\\| (helm|relay) \\| `([^`]+)`").FindAllStringSubmatch(read(t, root+"/docs/kubernetes.md"), -1)
	if len(rows) < 12 {
		t.Fatalf("%d mistakes in docs/kubernetes.md", len(rows))
	}
	for _, row := range rows {
		if !strings.Contains(said[row[1]], row[2]) {
			t.Errorf("%s does not say: %s", row[1], row[2])
		}
	}
}

// relaysMistakes is what the program says about the mistakes that a pod can
// hold.
func relaysMistakes(t *testing.T) string {
	t.Helper()
	var said strings.Builder
	for _, env := range [][]string{
		{"RELAY_PUBLIC_ADDR=:8080", "RELAY_OPEN=true", "RELAY_DRAIN_WINDOW=60s", "RELAY_GRACE_PERIOD=30s"},
		{"RELAY_HISTROY_SIZE=3"}, {"RELAY_JWT_SECRET=short"}, {"RELAY_REDIS_URL=redis.example.com:6379"},
	} {
		cmd := exec.Command(relaytest.PlainBinary(t))
		cmd.Env = append([]string{"KUBERNETES_SERVICE_HOST=10.0.0.1"}, env...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("the relay starts with %q", env)
		}
		said.Write(out)
	}
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "app", "on", ">right")
	relay := relaytest.StartPlain(t, "RELAY_REDIS_URL=redis://app:wrong@"+server.Addr)
	relaytest.Eventually(t, "the relay to complain", func() bool { return strings.Contains(relay.Log(), "WRONGPASS") })
	said.WriteString(relay.Log())
	return said.String()
}
