{{/*
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
{{- $ends := has $kind (list "CronJob" "Job") -}}
{{- $generation := "" -}}
{{- if has $kind (list "Deployment" "ReplicaSet") }}{{ $generation = "pod-template-hash" }}{{ end -}}
{{- if has $kind (list "DaemonSet" "StatefulSet") }}{{ $generation = "controller-revision-hash" }}{{ end -}}
{{- $grace := int (default 30 .gracePeriod) -}}
{{- $ports := default dict .ports -}}
{{- $public := int (default 8080 $ports.public) -}}
{{- $api := int (default 8081 $ports.api) -}}
{{- $ops := int (default 8082 $ports.ops) -}}
{{- $resources := default dict .resources -}}
{{- $memoryLimit := toString (default "256Mi" $resources.memoryLimit) -}}
{{- $units := dict "" 1 "G" 1000000000 "Gi" 1073741824 "Ki" 1024 "M" 1000000 "Mi" 1048576 "k" 1000 -}}
{{- $secrets := default dict .secrets -}}
{{- $env := default dict .env -}}
- name: {{ default "relay" .name | quote }}
  image: {{ .image | quote }}
  command: ["/relay", "serve"]
  {{- if not .ordinary }}
  # A native sidecar: it starts before the app and gets SIGTERM after the app has ended.
  restartPolicy: Always
  {{- end }}
  # In a Service give targetPort as the number: names of a native sidecar's ports did not resolve before Kubernetes 1.32.
  ports:
    - name: relay
      containerPort: {{ $public }}
    - name: relay-ops
      containerPort: {{ $ops }}
  env:
    - name: RELAY_PUBLIC_ADDR
      value: {{ printf ":%d" $public | quote }}
    # Loopback: only containers of this pod can publish here.
    - name: RELAY_API_ADDR
      value: {{ printf "127.0.0.1:%d" $api | quote }}
    # Probes and metrics: the kubelet and Prometheus ask from outside of the pod.
    - name: RELAY_OPS_ADDR
      value: {{ printf ":%d" $ops | quote }}
    # The pod's terminationGracePeriodSeconds. The relay does not start if its drain does not fit into it.
    - name: RELAY_GRACE_PERIOD
      value: {{ printf "%ds" $grace | quote }}
    {{- if $generation }}
    # By these, the relays of a rollout know each other, and send no client to one that is about to leave.
    - name: POD_NAMESPACE
      valueFrom:
        fieldRef:
          fieldPath: metadata.namespace
    {{- end }}
    {{- if $generation }}
    - name: POD_GENERATION
      valueFrom:
        fieldRef:
          fieldPath: metadata.labels['{{ $generation }}']
    {{- end }}
    {{- if $generation }}
    - name: RELAY_GENERATION
      value: "$(POD_NAMESPACE)/{{ .workload }}/$(POD_GENERATION)"
    {{- end }}
    {{- if and $ends (not $env.RELAY_DRAIN_DELAY) }}
    - name: RELAY_DRAIN_DELAY
      value: "0s"
    {{- end }}
    # Nine tenths of the limit of memory: nearer to it, Go collects harder instead of being killed.
    - name: GOMEMLIMIT
      value: {{ mulf (regexFind "^[0-9.]+" $memoryLimit | float64) (get $units (regexFind "[A-Za-z]*$" $memoryLimit)) 0.9 | int64 | quote }}
    {{- if .redis.url }}
    - name: RELAY_REDIS_URL
      value: {{ .redis.url | replace "$" "$$" | quote }}
    {{- end }}
    {{- if .redis.secretName }}
    - name: RELAY_REDIS_URL
      valueFrom:
        secretKeyRef:
          name: {{ .redis.secretName | quote }}
          key: {{ .redis.secretKey | quote }}
    {{- end }}
    {{- range $name, $ref := $secrets }}
    - name: {{ $name }}
      valueFrom:
        secretKeyRef:
          name: {{ $ref.name | quote }}
          key: {{ $ref.key | quote }}
    {{- end }}
    {{- range $name, $value := $env }}
    - name: {{ $name }}
      value: {{ ternary (toString (int64 $value)) (toString $value) (kindIs "float64" $value) | replace "$" "$$" | quote }}
    {{- end }}
  # Releases the clients at a pace while the app finishes; the publish API stays up meanwhile.
  lifecycle:
    preStop:
      exec:
        command: ["/relay", "drain"]
  # Waits for the process alone: neither for Redis nor for the app.
  startupProbe:
    httpGet:
      path: /startupz
      port: {{ $ops }}
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 60
  livenessProbe:
    httpGet:
      path: /livez
      port: {{ $ops }}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  # The whole pod's readiness depends on it. It waits for Redis to answer once; a later outage
  # of Redis does not take the app out of service.
  readinessProbe:
    httpGet:
      path: /readyz
      port: {{ $ops }}
    periodSeconds: 5
    timeoutSeconds: 5
    failureThreshold: 3
  # No limit of CPU: a relay that is throttled delays all of its clients.
  resources:
    requests:
      cpu: {{ default "50m" $resources.cpuRequest | quote }}
      memory: {{ default "64Mi" $resources.memoryRequest | quote }}
    limits:
      memory: {{ $memoryLimit | quote }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities:
      drop: ["ALL"]
    seccompProfile:
      type: RuntimeDefault
{{- end }}

{{/*
relay.sidecar.servicePort is an item of a Service's ports that leads clients to
the relay; it takes what relay.sidecar takes. Its target is a number, because
names of a native sidecar's ports did not resolve before Kubernetes 1.32.
*/}}
{{- define "relay.sidecar.servicePort" -}}
{{- include "relay.sidecar.check" . -}}
{{- $ports := default dict .ports -}}
{{- $public := int (default 8080 $ports.public) -}}
- name: relay
  port: {{ $public }}
  targetPort: {{ $public }}
{{- end }}

{{/*
relay.sidecar.check fails with a sentence on what could not work.
*/}}
{{- define "relay.sidecar.check" -}}
{{- range $key, $_ := . -}}
{{- if not (has $key (list "env" "gracePeriod" "image" "kind" "name" "ordinary" "ports" "redis" "resources" "secrets" "workload")) }}{{ fail (printf "relay.sidecar: there is no option %q" $key) }}{{ end -}}
{{- end -}}
{{- if not .image }}{{ fail "relay.sidecar: image is missing; give registry/relay:version" }}{{ end -}}
{{- $kind := default "Deployment" .kind -}}
{{- if not (has $kind (list "CronJob" "DaemonSet" "Deployment" "Job" "Pod" "ReplicaSet" "ReplicationController" "StatefulSet")) }}{{ fail (printf "relay.sidecar: kind %q makes no pods that are known here" $kind) }}{{ end -}}
{{- if and (not .workload) (has $kind (list "Deployment" "ReplicaSet" "DaemonSet" "StatefulSet")) }}{{ fail (printf "relay.sidecar: workload is missing; give the name of the %s, by which its relays know each other" $kind) }}{{ end -}}
{{- if and .ordinary (has $kind (list "CronJob" "Job")) }}{{ fail (printf "relay.sidecar: a %s never ends while an ordinary sidecar runs in its pod" $kind) }}{{ end -}}
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
{{- if not (regexMatch "^[0-9]+$" (toString .)) }}{{ fail (printf "relay.sidecar: gracePeriod: %q is not a number of seconds like 30" (toString .)) }}{{ end -}}
{{- end -}}
{{- with (default dict .resources).memoryLimit -}}
{{- if not (regexMatch "^([0-9]{8,}|[0-9]+(\\.[0-9]+)?(k|Ki|M|Mi|G|Gi))$" (toString .)) }}{{ fail (printf "relay.sidecar: resources.memoryLimit: %q is not a quantity like 256Mi" (toString .)) }}{{ end -}}
{{- end -}}
{{- range $name, $_ := default dict .env -}}
{{- if has $name (list "RELAY_API_KEYS" "RELAY_JWT_SECRET" "RELAY_SECRET") }}{{ fail (printf "relay.sidecar: %s is a secret; give it under secrets" $name) }}{{ end -}}
{{- if not (has $name (list "RELAY_ALLOWED_ORIGINS" "RELAY_CONSOLE" "RELAY_DRAIN_DELAY" "RELAY_DRAIN_WINDOW" "RELAY_HISTORY_SIZE" "RELAY_HISTORY_TTL" "RELAY_LOG_FORMAT" "RELAY_LOG_LEVEL" "RELAY_MAX_CHANNELS" "RELAY_MAX_CONNECTIONS" "RELAY_MAX_CONNECTION_AGE" "RELAY_MAX_EVENT_BYTES" "RELAY_MAX_FRAME_BYTES" "RELAY_MAX_REQUEST_BYTES" "RELAY_OPEN" "RELAY_POSITION_TTL" "RELAY_PREFIX" "RELAY_PUBLIC_CHANNELS" "RELAY_PUBLIC_PATH" "RELAY_QUEUE_BYTES" "RELAY_READY_STRICT")) }}{{ fail (printf "relay.sidecar: env: %s is no setting that can be given here" $name) }}{{ end -}}
{{- end -}}
{{- range $name, $ref := default dict .secrets -}}
{{- if not (has $name (list "RELAY_API_KEYS" "RELAY_JWT_SECRET" "RELAY_SECRET")) }}{{ fail (printf "relay.sidecar: secrets: %s is no secret of the relay" $name) }}{{ end -}}
{{- if not (and $ref.name $ref.key) }}{{ fail (printf "relay.sidecar: secrets: %s needs name and key" $name) }}{{ end -}}
{{- if hasKey (default dict $.env) $name }}{{ fail (printf "relay.sidecar: %s is given twice, under env and under secrets" $name) }}{{ end -}}
{{- end -}}
{{- end }}
