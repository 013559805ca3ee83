{{- define "relay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
The name of what is made. 53 bytes, so that a suffix still fits into a label.
*/}}
{{- define "relay.fullname" -}}
{{- $name := include "relay.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/*
What the Services and the Deployment select by. It never changes, and the test's
pod is not among them.
*/}}
{{- define "relay.selectorLabels" -}}
app.kubernetes.io/name: {{ include "relay.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: relay
{{- end -}}

{{- define "relay.metaLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "relay.labels" -}}
{{ include "relay.selectorLabels" . }}
{{ include "relay.metaLabels" . }}
{{- end -}}

{{- define "relay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "relay.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "relay.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Seconds that a pod needs to leave: the grace that is given, or what the drain
takes and five seconds for the process to end.
*/}}
{{- define "relay.grace" -}}
{{- with .Values.drain -}}
{{- $.Values.terminationGracePeriodSeconds | default (add .delaySeconds .holdSeconds .windowSeconds 5) | int64 -}}
{{- end -}}
{{- end -}}

{{/*
The most pods that there can be.
*/}}
{{- define "relay.maxReplicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.maxReplicas | int64 }}{{- else -}}{{ .Values.replicas | int64 }}{{- end -}}
{{- end -}}

{{/*
The fewest pods, while nothing is wrong.
*/}}
{{- define "relay.minReplicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.minReplicas | int64 }}{{- else -}}{{ .Values.replicas | int64 }}{{- end -}}
{{- end -}}

{{/*
Nine tenths of a quantity of memory, in bytes: Go collects harder as its heap
nears this, instead of being killed at the limit. The rest is for what is not
Go's heap. A plain number of a values file is a float, and as text 5.3687e+08.
*/}}
{{- define "relay.memoryLimit" -}}
{{- $quantity := ternary (int64 .) . (kindIs "float64" .) | toString -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 -}}
{{- mulf (regexFind "^[0-9.]+" $quantity | float64) (get $units (regexFind "[A-Za-z]*$" $quantity)) 0.9 | int64 -}}
{{- end -}}

{{/*
The path under which clients connect.
*/}}
{{- define "relay.publicPath" -}}
{{- default "/" .Values.config.public_path -}}
{{- end -}}

{{/*
The relay's settings as the lines of a YAML file. Each value is JSON, which YAML
contains: a large number would otherwise be written as 1e+06.
*/}}
{{- define "relay.config" -}}
{{- range $name, $value := .Values.config -}}
{{ $name }}: {{ toJson $value }}
{{ end -}}
{{- end -}}

{{/*
Restricted Pod Security, for the pod.
*/}}
{{- define "relay.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.user }}
runAsUser: {{ . | int64 }}
runAsGroup: {{ . | int64 }}
fsGroup: {{ . | int64 }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
Restricted Pod Security, for a container. The relay writes no files.
*/}}
{{- define "relay.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/*
Variables that name the files of these secrets (a part of .Values.secrets).
*/}}
{{- define "relay.secretEnv" -}}
{{- range $name, $ref := . }}
{{- if $ref.name }}
- name: RELAY_{{ snakecase $name | upper }}_FILE
  value: /etc/relay/secrets/{{ $name }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The volume with these secrets' files, or nothing. A mounted file follows its
Secret, which a variable does not.
*/}}
{{- define "relay.secretVolume" -}}
{{- if include "relay.hasSecrets" . -}}
- name: secrets
  projected:
    # Readable by whatever user the process is; nothing else is in the pod.
    defaultMode: 292 # 0444
    sources:
      {{- range $name, $ref := . }}
      {{- if $ref.name }}
      - secret:
          name: {{ $ref.name }}
          items:
            - key: {{ $ref.key }}
              path: {{ $name }}
      {{- end }}
      {{- end }}
{{- end -}}
{{- end -}}

{{- define "relay.secretMount" -}}
{{- if include "relay.hasSecrets" . -}}
- name: secrets
  mountPath: /etc/relay/secrets
  readOnly: true
{{- end -}}
{{- end -}}

{{- define "relay.hasSecrets" -}}
{{- range . }}{{ if .name }}true{{ end }}{{ end -}}
{{- end -}}

{{/*
Whether the pod mounts anything.
*/}}
{{- define "relay.hasVolumes" -}}
{{- if or .Values.config .Values.redis.ca.configMap .Values.redis.ca.secret -}}true{{- end -}}
{{- include "relay.hasSecrets" .Values.secrets -}}
{{- end -}}

{{/*
The labels of the pod of `helm test`, which is not one of the relays.
*/}}
{{- define "relay.testLabels" -}}
app.kubernetes.io/name: {{ include "relay.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: check
{{- end -}}

{{/*
The channel that `helm test` uses; empty: `relay check` makes up one. Where
there are neither tokens nor openness, it must be one of those that anyone may
read, and best one that nobody does.
*/}}
{{- define "relay.testChannel" -}}
{{- $channel := "" -}}
{{- if not (or .Values.secrets.jwtSecret.name .Values.config.open) -}}
{{- range .Values.config.public_channels -}}
{{- $channel = $channel | default . -}}
{{- if hasSuffix "*" . -}}
{{- $channel = printf "%srelay-check" (trimSuffix "*" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $channel -}}
{{- end -}}
