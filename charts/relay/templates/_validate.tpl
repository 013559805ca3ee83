{{/*
What values.schema.json cannot say: values that do not go together. All of them
at once, each with what to do about it.
*/}}
{{- define "relay.validate" -}}
{{- $problems := list -}}
{{- $v := .Values -}}

{{- $several := gt (include "relay.maxReplicas" . | int64) 1 -}}
{{- $redis := or $v.redis.url $v.secrets.redisUrl.name -}}
{{- if and $several (not $redis) -}}
{{- $problems = append $problems "there is more than one relay, and no Redis to join them: clients of one would not get the events of another. Set redis.url or secrets.redisUrl.name, or replicas=1 and no autoscaling" -}}
{{- end -}}
{{- if and $v.redis.url $v.secrets.redisUrl.name -}}
{{- $problems = append $problems "both redis.url and secrets.redisUrl.name are set. Leave one of the two" -}}
{{- end -}}
{{- if regexMatch "^[a-z]+://[^/?]*:[^/?]*@" (default "" $v.redis.url) -}}
{{- $problems = append $problems "redis.url holds a password, which everybody who may see the Deployment could read. Put the whole URL into a Secret and name that in secrets.redisUrl.name" -}}
{{- end -}}
{{- if and $v.redis.ca.configMap $v.redis.ca.secret -}}
{{- $problems = append $problems "both redis.ca.configMap and redis.ca.secret are set. Leave one of the two" -}}
{{- end -}}

{{- if not (or $v.secrets.jwtSecret.name $v.config.public_channels $v.config.open) -}}
{{- $problems = append $problems "the relay can be reached by others, and nothing says who may subscribe. Set secrets.jwtSecret.name for clients with tokens, config.public_channels for channels that anyone may read, or config.open=true if the whole world may read everything" -}}
{{- end -}}
{{- if and $v.api.enabled (not $v.secrets.apiKeys.name) -}}
{{- $problems = append $problems "the api can be reached from other pods, and without keys anyone there could publish. Set secrets.apiKeys.name, or api.enabled=false to publish through Redis only" -}}
{{- end -}}

{{- if not (kindIs "invalid" $v.terminationGracePeriodSeconds) -}}
{{- $needed := add $v.drain.delaySeconds $v.drain.windowSeconds 5 -}}
{{- if lt (int64 $v.terminationGracePeriodSeconds) $needed -}}
{{- $problems = append $problems (printf "terminationGracePeriodSeconds is %d, and the drain needs %d: %d of delay, %d of window and 5 to end. Kubernetes would kill the relay with clients on it. Raise it, leave it empty, or shorten the drain" (int64 $v.terminationGracePeriodSeconds) $needed (int64 $v.drain.delaySeconds) (int64 $v.drain.windowSeconds)) -}}
{{- end -}}
{{- end -}}
{{- if and (has (toString $v.rollout.maxSurge) (list "0" "0%")) (has (toString $v.rollout.maxUnavailable) (list "0" "0%")) -}}
{{- $problems = append $problems "rollout.maxSurge and rollout.maxUnavailable are both 0: no pod could ever be replaced. Raise one of them" -}}
{{- end -}}

{{- with $v.autoscaling -}}
{{- if .enabled -}}
{{- if gt (int64 .minReplicas) (int64 .maxReplicas) -}}
{{- $problems = append $problems "autoscaling.minReplicas is greater than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if not (or .cpu .connections) -}}
{{- $problems = append $problems "autoscaling has nothing to go by. Set autoscaling.cpu or autoscaling.connections" -}}
{{- end -}}
{{- if and .cpu (not (dig "requests" "cpu" "" (default dict $v.resources))) -}}
{{- $problems = append $problems "autoscaling.cpu is a percentage of what the container requests, and it requests no CPU. Set resources.requests.cpu" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- $problems = append $problems "the Ingress has no host. Set ingress.hosts" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- $problems = append $problems "the HTTPRoute belongs to no Gateway. Set httpRoute.parentRefs" -}}
{{- end -}}
{{- if and $v.service.nodePort (not (has $v.service.type (list "NodePort" "LoadBalancer"))) -}}
{{- $problems = append $problems "service.nodePort means nothing for service.type=ClusterIP. Set the type, or leave it out" -}}
{{- end -}}

{{- range $name, $_ := merge (dict) (default dict $v.podLabels) (default dict $v.commonLabels) -}}
{{- if has $name (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" "pod-template-hash") -}}
{{- $problems = append $problems (printf "commonLabels or podLabels has %s, which says whose pods are whose, and is not yours to set. Leave it out; nameOverride changes the name" $name) -}}
{{- end -}}
{{- end -}}

{{- range $v.env -}}
{{- if hasPrefix "RELAY_" .name -}}
{{- $problems = append $problems (printf "env sets %s. The relay's settings belong into config, its secrets into secrets" .name) -}}
{{- end -}}
{{- end -}}

{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot work:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}
