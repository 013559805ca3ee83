package sidecar

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// shape is the container in one pod: the options, and what the pod decides.
type shape struct {
	Options
	kind Kind
	// workload is the name of what makes the pods.
	workload string
	grace    time.Duration
}

// container is the one description of the sidecar. Whatever writes a sidecar,
// as YAML or as a template, writes this.
func container() node {
	return item(
		vary("name", text{func(s *shape) string { return quote(s.Name) }, `{{ default "relay" .name | quote }}`}),
		vary("image", text{func(s *shape) string { return quote(s.Image) }, `{{ .image | quote }}`}),
		leaf("command", `["/relay", "serve"]`),
		// Without it this would be an init container, whose end the pod awaits.
		leaf("restartPolicy", "Always").onlyIf(native).
			because("A native sidecar: it starts before the app and gets SIGTERM after the app has ended."),
		ports(),
		environment(),
		// Kubernetes runs preStop when the pod is told to stop, whatever kind
		// of container this is. SIGTERM would be too late: a native sidecar gets
		// it only after the app has exited, until when no client would be
		// released. No shell: the image has none.
		mapping("lifecycle", mapping("preStop", mapping("exec", leaf("command", `["/relay", "drain"]`)))).
			because("Releases the clients at a pace while the app finishes; the publish API stays up meanwhile."),
		// The app's containers wait for it. If it waited for Redis, an outage of
		// Redis would stop every rollout and every restart of the app; if for
		// the app, neither would ever start.
		probe("startupProbe", "/startupz", leaf("periodSeconds", "1"), leaf("timeoutSeconds", "5"), leaf("failureThreshold", "60")).
			because("Waits for the process alone: neither for Redis nor for the app."),
		// Restarting the relay throws off every client, so only a process that
		// has stopped answering for a minute is worth it.
		probe("livenessProbe", "/livez", leaf("periodSeconds", "10"), leaf("timeoutSeconds", "5"), leaf("failureThreshold", "6")),
		// A pod is ready when all of its containers are, so this decides about
		// the app as well. /readyz is strict once (a wrong URL stops the
		// rollout) and afterwards forgives Redis unless RELAY_READY_STRICT.
		probe("readinessProbe", "/readyz", leaf("periodSeconds", "5"), leaf("timeoutSeconds", "5"), leaf("failureThreshold", "3")).
			because("The whole pod's readiness depends on it. It waits for Redis to answer once; a later outage\nof Redis does not take the app out of service."),
		resources(),
		securityContext(),
	)
}

func ports() node {
	return list("ports",
		item(leaf("name", "relay"), port("containerPort", public)),
		item(leaf("name", "relay-ops"), port("containerPort", ops)),
		// The api is on loopback: it is nobody's outside of the pod.
	).because("In a Service give targetPort as the number: names of a native sidecar's ports did not resolve before Kubernetes 1.32.")
}

// environment is what the container finds. In values of a chart a number is a
// float64, which as text could become 1e+06.
func environment() node {
	return list("env",
		variable(varPublicAddr, text{func(s *shape) string { return quote(":" + strconv.Itoa(s.Ports.Public)) }, `{{ printf ":%d" $public | quote }}`}),
		variable(varAPIAddr, text{func(s *shape) string { return quote("127.0.0.1:" + strconv.Itoa(s.Ports.API)) }, `{{ printf "127.0.0.1:%d" $api | quote }}`}).
			because("Loopback: only containers of this pod can publish here."),
		variable(varOpsAddr, text{func(s *shape) string { return quote(":" + strconv.Itoa(s.Ports.Ops)) }, `{{ printf ":%d" $ops | quote }}`}).
			because("Probes and metrics: the kubelet and Prometheus ask from outside of the pod."),
		variable(varGrace, text{func(s *shape) string { return quote(seconds(s.grace) + "s") }, `{{ printf "%ds" $grace | quote }}`}).
			because("The pod's terminationGracePeriodSeconds. The relay does not start if its drain does not fit into it."),
		fromPod("POD_NAMESPACE", fixed("metadata.namespace")).onlyIf(rollsOut).
			because("By these, the relays of a rollout know each other, and send no client to one that is about to leave."),
		fromPod("POD_GENERATION", text{
			func(s *shape) string { return "metadata.labels['" + s.kind.generation() + "']" },
			`metadata.labels['{{ $generation }}']`,
		}).onlyIf(rollsOut),
		// What stands before the last slash keeps apart the rollouts of
		// workloads that share a Redis.
		variable(varGeneration, text{
			func(s *shape) string { return quote("$(POD_NAMESPACE)/" + s.workload + "/$(POD_GENERATION)") },
			`"$(POD_NAMESPACE)/{{ .workload }}/$(POD_GENERATION)"`,
		}).onlyIf(rollsOut),
		// No Service leads to the pods of a Job, so nobody has to learn that
		// one is leaving; the Job would only end later.
		variable(varDrainDelay, fixed(`"0s"`)).onlyIf(condition{
			func(s *shape) bool { return s.kind.ends() && s.Env[varDrainDelay] == "" },
			`if and $ends (not $env.RELAY_DRAIN_DELAY)`,
		}),
		variable("GOMEMLIMIT", text{
			func(s *shape) string { return quote(memoryGoal(s.Resources.MemoryLimit)) },
			`{{ mulf (regexFind "^[0-9.]+" $memoryLimit | float64) (get $units (regexFind "[A-Za-z]*$" $memoryLimit)) 0.9 | int64 | quote }}`,
		}).because("Nine tenths of the limit of memory: nearer to it, Go collects harder instead of being killed."),
		variable(varRedisURL, text{func(s *shape) string { return literal(s.Redis.URL) }, escaped(".redis.url")}).
			onlyIf(condition{func(s *shape) bool { return s.Redis.URL != "" }, `if .redis.url`}),
		secret(varRedisURL, text{func(s *shape) string { return quote(s.Redis.Secret.Name) }, `{{ .redis.secretName | quote }}`},
			text{func(s *shape) string { return quote(s.Redis.Secret.Key) }, `{{ .redis.secretKey | quote }}`}).
			onlyIf(condition{func(s *shape) bool { return s.Redis.Secret != Ref{} }, `if .redis.secretName`}),
		node{each: &each{secrets, `range $name, $ref := $secrets`, secret("{{ $name }}", fixed(`{{ $ref.name | quote }}`), fixed(`{{ $ref.key | quote }}`))}},
		node{each: &each{variables, `range $name, $value := $env`, variable("{{ $name }}", fixed(escaped(`ternary (toString (int64 $value)) (toString $value) (kindIs "float64" $value)`)))}},
	)
}

func secrets(s *shape) []node {
	var nodes []node
	for _, name := range sortedKeys(s.Secrets) {
		ref := s.Secrets[name]
		nodes = append(nodes, secret(name, fixed(quote(ref.Name)), fixed(quote(ref.Key))))
	}
	return nodes
}

func variables(s *shape) []node {
	var nodes []node
	for _, name := range sortedKeys(s.Env) {
		nodes = append(nodes, variable(name, fixed(literal(s.Env[name]))))
	}
	return nodes
}

func resources() node {
	return mapping("resources",
		mapping("requests",
			vary("cpu", text{func(s *shape) string { return quote(s.Resources.CPURequest) }, resource("cpuRequest", DefaultResources.CPURequest)}),
			vary("memory", text{func(s *shape) string { return quote(s.Resources.MemoryRequest) }, resource("memoryRequest", DefaultResources.MemoryRequest)})),
		mapping("limits",
			vary("memory", text{func(s *shape) string { return quote(s.Resources.MemoryLimit) }, `{{ $memoryLimit | quote }}`})),
	).because("No limit of CPU: a relay that is throttled delays all of its clients.")
}

// securityContext is what the restricted Pod Security Standard asks, and more.
func securityContext() node {
	return mapping("securityContext",
		// A number, because the kubelet cannot tell who a name is; and given,
		// because a pod that runs its app as root would give root to all.
		leaf("runAsNonRoot", "true"), leaf("runAsUser", "65532"), leaf("runAsGroup", "65532"),
		leaf("readOnlyRootFilesystem", "true"), leaf("allowPrivilegeEscalation", "false"),
		mapping("capabilities", leaf("drop", `["ALL"]`)),
		mapping("seccompProfile", leaf("type", "RuntimeDefault")))
}

func fromPod(name string, path text) node {
	return item(leaf("name", name), mapping("valueFrom", mapping("fieldRef", vary("fieldPath", path))))
}

// rollsOut: pods of this kind replace each other.
var rollsOut = condition{func(s *shape) bool { return s.kind.generation() != "" }, "if $generation"}

var native = condition{func(s *shape) bool { return !s.Ordinary }, "if not .ordinary"}

// listener is one of the relay's ports.
type listener struct {
	of   func(s *shape) int
	helm string
}

var (
	public = listener{func(s *shape) int { return s.Ports.Public }, "{{ $public }}"}
	ops    = listener{func(s *shape) int { return s.Ports.Ops }, "{{ $ops }}"}
)

func port(key string, l listener) node {
	return vary(key, text{func(s *shape) string { return strconv.Itoa(l.of(s)) }, l.helm})
}

func probe(key, path string, fields ...node) node {
	return mapping(key, append([]node{mapping("httpGet", leaf("path", path), port("port", ops))}, fields...)...)
}

func variable(name string, value text) node {
	return item(leaf("name", name), vary("value", value))
}

func secret(name string, ref, key text) node {
	return item(leaf("name", name), mapping("valueFrom", mapping("secretKeyRef", vary("name", ref), vary("key", key))))
}

// quote writes a string as YAML. Double quotes, because a plain 1e3 or yes is
// not the text it looks like.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// literal writes the value of a variable so that it arrives as it is: in
// Kubernetes $(NAME) is another variable and $$ a dollar sign.
func literal(value string) string { return quote(strings.ReplaceAll(value, "$", "$$")) }

func escaped(pipeline string) string {
	return fmt.Sprintf(`{{ %s | replace "$" "$$" | quote }}`, pipeline)
}

func resource(key, def string) string {
	return fmt.Sprintf(`{{ default %q $resources.%s | quote }}`, def, key)
}

// units are those of memory.
var units = map[string]int64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}

// memoryGoal is what the collector keeps the heap below, in bytes. The rest is
// for what is not Go's, like the kernel's buffers of the connections.
func memoryGoal(limit string) string {
	number := strings.TrimRight(limit, "kKMGi")
	value, _ := strconv.ParseFloat(number, 64)
	return strconv.FormatInt(int64(value*float64(units[limit[len(number):]])*0.9), 10)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
