package sidecar

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// helm renders a description as the body of a Helm template.
type helm struct{}

func (helm) scalar(t text) string { return t.helm }

func (helm) around(c condition) (before, after string, is bool) {
	if c.helm == "" {
		return "", "", true
	}
	return "{{- " + c.helm + " }}", "{{- end }}", true
}

func (helm) repeat(e *each) (before, after string, nodes []node) {
	return "{{- " + e.helm + " }}", "{{- end }}", []node{e.item}
}

// Variables are the relay's settings as variables of the environment, all
// that a template lets through.
type Variables struct {
	// Plain may be given as values, Secret only from a Secret.
	Plain, Secret []string
}

// WriteTemplate writes the sidecar as named templates of a Helm chart.
func WriteTemplate(w io.Writer, known Variables) error {
	body := strings.Join(container().lines("", helm{}), "\n")
	_, err := strings.NewReplacer(
		"@PLAIN@", words(known.Plain),
		"@SECRET@", words(known.Secret),
		"@OPTIONS@", words([]string{"name", "image", "kind", "workload", "ordinary", "gracePeriod", "ports", "redis", "secrets", "env", "resources"}),
		"@KINDS@", words(kindNames(func(Kind) bool { return true })),
		"@ENDING@", words(kindNames(Kind.ends)),
		"@BY_TEMPLATE@", words(kindNames(func(k Kind) bool { return k.generation() == Deployment.generation() })),
		"@BY_REVISION@", words(kindNames(func(k Kind) bool { return k.generation() == StatefulSet.generation() })),
		"@TEMPLATE_HASH@", Deployment.generation(),
		"@REVISION_HASH@", StatefulSet.generation(),
		"@MEMORY@", DefaultResources.MemoryLimit,
		"@QUANTITY@", strings.ReplaceAll(memory.String(), `\`, `\\`),
		"@UNITS@", unitArguments(),
		"@GRACE@", seconds(defaultGrace),
		"@PUBLIC@", fmt.Sprint(DefaultPorts.Public),
		"@API@", fmt.Sprint(DefaultPorts.API),
		"@OPS@", fmt.Sprint(DefaultPorts.Ops),
		"@CONTAINER@", body,
	).WriteString(w, template)
	return err
}

// words writes the arguments of the template function list.
func words(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range slices.Sorted(slices.Values(names)) {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, " ")
}

// unitArguments writes the arguments of the template function dict.
func unitArguments() string {
	var arguments []string
	for _, unit := range sortedKeys(units) {
		arguments = append(arguments, fmt.Sprintf("%q %d", unit, units[unit]))
	}
	return strings.Join(arguments, " ")
}

func kindNames(wanted func(Kind) bool) []string {
	var names []string
	for _, k := range Kinds() {
		if wanted(k) {
			names = append(names, string(k))
		}
	}
	return names
}

// template is what stands around the container: the check of what a chart
// hands in, where a typo must not pass in silence.
const template = `{{/*
Made by "relay inject --template"; go generate ./cmd/relay writes it anew.

relay.sidecar is the relay as a container beside the app, an item of a pod's
initContainers:

    terminationGracePeriodSeconds: 30
    initContainers:
      {{- include "relay.sidecar" (dict
          "image"    "registry.example.com/relay:1.2.3"
          "kind"     "Deployment"
          "workload" (include "app.fullname" .)
          "redis"    (dict "secretName" "app-redis" "secretKey" "url")
          "secrets"  (dict "RELAY_JWT_SECRET" (dict "name" "app-relay" "key" "jwt-secret"))
          "env"      (dict "RELAY_HISTORY_SIZE" "1000")
        ) | nindent 6 }}

image        required, with its tag or digest
kind         what makes the pods: Deployment (default), StatefulSet, DaemonSet, Job, CronJob, ...
workload     its name; required unless it is a Job, a CronJob or a Pod
redis        required: secretName and secretKey; or url; or none: true, and each pod is alone with its events
secrets      variables from Secrets: name and key of each
env          variables with their values, taken as they are
gracePeriod  the pod's terminationGracePeriodSeconds as a number (30)
ordinary     true: a container for the pod's containers, for clusters before 1.29
name         of the container (relay)
ports        public (8080), api (8081), ops (8082)
resources    cpuRequest, memoryRequest, memoryLimit
*/}}
{{- define "relay.sidecar" -}}
{{- include "relay.sidecar.check" . -}}
{{- $kind := default "Deployment" .kind -}}
{{- $ends := has $kind (list @ENDING@) -}}
{{- $generation := "" -}}
{{- if has $kind (list @BY_TEMPLATE@) }}{{ $generation = "@TEMPLATE_HASH@" }}{{ end -}}
{{- if has $kind (list @BY_REVISION@) }}{{ $generation = "@REVISION_HASH@" }}{{ end -}}
{{- $grace := int (default @GRACE@ .gracePeriod) -}}
{{- $ports := default dict .ports -}}
{{- $public := int (default @PUBLIC@ $ports.public) -}}
{{- $api := int (default @API@ $ports.api) -}}
{{- $ops := int (default @OPS@ $ports.ops) -}}
{{- $resources := default dict .resources -}}
{{- $memoryLimit := toString (default "@MEMORY@" $resources.memoryLimit) -}}
{{- $units := dict @UNITS@ -}}
{{- $secrets := default dict .secrets -}}
{{- $env := default dict .env -}}
@CONTAINER@
{{- end }}

{{/*
relay.sidecar.servicePort is an item of a Service's ports that leads clients to
the relay; it takes what relay.sidecar takes. Its target is a number, because
names of a native sidecar's ports did not resolve before Kubernetes 1.32.
*/}}
{{- define "relay.sidecar.servicePort" -}}
{{- include "relay.sidecar.check" . -}}
{{- $ports := default dict .ports -}}
{{- $public := int (default @PUBLIC@ $ports.public) -}}
- name: relay
  port: {{ $public }}
  targetPort: {{ $public }}
{{- end }}

{{/*
relay.sidecar.check fails with a sentence on what could not work.
*/}}
{{- define "relay.sidecar.check" -}}
{{- range $key, $_ := . -}}
{{- if not (has $key (list @OPTIONS@)) }}{{ fail (printf "relay.sidecar: there is no option %q" $key) }}{{ end -}}
{{- end -}}
{{- if not .image }}{{ fail "relay.sidecar: image is missing; give registry/relay:version" }}{{ end -}}
{{- $kind := default "Deployment" .kind -}}
{{- if not (has $kind (list @KINDS@)) }}{{ fail (printf "relay.sidecar: kind %q makes no pods that are known here" $kind) }}{{ end -}}
{{- if and (not .workload) (has $kind (list @BY_TEMPLATE@ @BY_REVISION@)) }}{{ fail (printf "relay.sidecar: workload is missing; give the name of the %s, by which its relays know each other" $kind) }}{{ end -}}
{{- if and .ordinary (has $kind (list @ENDING@)) }}{{ fail (printf "relay.sidecar: a %s never ends while an ordinary sidecar runs in its pod" $kind) }}{{ end -}}
{{- $redis := default dict .redis -}}
{{- range $key, $_ := $redis -}}
{{- if not (has $key (list "none" "secretKey" "secretName" "url")) }}{{ fail (printf "relay.sidecar: redis has no option %q" $key) }}{{ end -}}
{{- end -}}
{{- if and $redis.secretName (not $redis.secretKey) }}{{ fail "relay.sidecar: redis.secretName is given without redis.secretKey" }}{{ end -}}
{{- if not (or $redis.secretName $redis.url $redis.none) }}{{ fail "relay.sidecar: redis is missing; give secretName and secretKey, or url, or none: true if each pod shall be alone with its events" }}{{ end -}}
{{- if or (and $redis.secretName $redis.url) (and $redis.none (or $redis.secretName $redis.url)) }}{{ fail "relay.sidecar: redis is given more than once; leave one of secretName, url and none" }}{{ end -}}
{{- range $key, $_ := default dict .ports -}}
{{- if not (has $key (list "api" "ops" "public")) }}{{ fail (printf "relay.sidecar: ports has no option %q" $key) }}{{ end -}}
{{- end -}}
{{- range $key, $_ := default dict .resources -}}
{{- if not (has $key (list "cpuRequest" "memoryLimit" "memoryRequest")) }}{{ fail (printf "relay.sidecar: resources has no option %q" $key) }}{{ end -}}
{{- end -}}
{{- with .gracePeriod -}}
{{- if not (regexMatch "^[0-9]+$" (toString .)) }}{{ fail (printf "relay.sidecar: gracePeriod: %q is not a number of seconds like @GRACE@" (toString .)) }}{{ end -}}
{{- end -}}
{{- with (default dict .resources).memoryLimit -}}
{{- if not (regexMatch "@QUANTITY@" (toString .)) }}{{ fail (printf "relay.sidecar: resources.memoryLimit: %q is not a quantity like 256Mi" (toString .)) }}{{ end -}}
{{- end -}}
{{- range $name, $_ := default dict .env -}}
{{- if has $name (list @SECRET@) }}{{ fail (printf "relay.sidecar: %s is a secret; give it under secrets" $name) }}{{ end -}}
{{- if not (has $name (list @PLAIN@)) }}{{ fail (printf "relay.sidecar: env: %s is no setting that can be given here" $name) }}{{ end -}}
{{- end -}}
{{- range $name, $ref := default dict .secrets -}}
{{- if not (has $name (list @SECRET@)) }}{{ fail (printf "relay.sidecar: secrets: %s is no secret of the relay" $name) }}{{ end -}}
{{- if not (and $ref.name $ref.key) }}{{ fail (printf "relay.sidecar: secrets: %s needs name and key" $name) }}{{ end -}}
{{- if hasKey (default dict $.env) $name }}{{ fail (printf "relay.sidecar: %s is given twice, under env and under secrets" $name) }}{{ end -}}
{{- end -}}
{{- end }}
`
