{{- /* Names and labels. */ -}}
{{- define "pytake.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "pytake.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "pytake.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "pytake.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pytake.selector" -}}
app.kubernetes.io/name: {{ include "pytake.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "pytake.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: pytake
{{ include "pytake.selector" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pytake.image" -}}
{{- with .Values.image -}}
{{- if .registry }}{{ .registry }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "pytake.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pytake.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* Numbers that must fit together. */ -}}
{{- define "pytake.grace" -}}
{{- $sum := add .Values.drain.propagationSeconds .Values.drain.windowSeconds .Values.drain.slackSeconds -}}
{{- default $sum .Values.drain.terminationGracePeriodSeconds -}}
{{- end -}}

{{- /* The clients of one turn have moved before the next ones go: handshakes come at one pace. */ -}}
{{- define "pytake.gatewayMinReady" -}}
{{- default .Values.drain.windowSeconds .Values.gateway.minReadySeconds -}}
{{- end -}}

{{- /* A proxy must outwait a ping and its timeout; less than a minute is no proxy's default. */ -}}
{{- define "pytake.proxyTimeout" -}}
{{- $pings := int (ceil (addf (mulf 2.0 .Values.gateway.pingIntervalSeconds) .Values.gateway.pingTimeoutSeconds 5.0)) -}}
{{- default (max 60 $pings) .Values.ingress.timeoutSeconds -}}
{{- end -}}

{{- define "pytake.tlsSecret" -}}
{{- default (printf "%s-tls" (include "pytake.fullname" .)) .Values.ingress.tls.secretName -}}
{{- end -}}

{{- define "pytake.gatewayReplicas" -}}
{{- if eq .Values.autoscaling.mode "none" }}{{ .Values.gateway.replicaCount }}{{ else }}{{ .Values.autoscaling.minReplicas }}{{ end -}}
{{- end -}}

{{- /* Ports that a component reaches, with commas: those of networkPolicy.egressPorts, and of every
address among the values. The API server listens on 443, or on 6443 behind it. */ -}}
{{- define "pytake.egressPorts" -}}
{{- $v := .root.Values -}}
{{- $ports := list -}}
{{- range $v.networkPolicy.egressPorts }}{{ $ports = append $ports (toString .) }}{{ end -}}
{{- $ports = append $ports (toString $v.redis.port) -}}
{{- range $address := concat $v.redis.sentinels (list $v.auth.jwksUrl $v.tracing.endpoint $v.whatsapp.mediaUrl) -}}
{{- $host := regexReplaceAll "^[a-z0-9+]+://([^/@]*@)?([^/?]*).*$" $address "${2}" -}}
{{- with regexFind ":[0-9]+$" $host }}{{ $ports = append $ports (trimPrefix ":" .) }}
{{- else }}{{ if hasPrefix "http://" $address }}{{ $ports = append $ports "80" }}{{ end }}{{ end -}}
{{- end -}}
{{- if and (eq .component "gateway") $v.gateway.podDeletionCost }}{{ $ports = concat $ports (list "443" "6443") }}{{ end -}}
{{- uniq $ports | join "," -}}
{{- end -}}

{{- /* The folder of files without a bucket; empty with one. */ -}}
{{- define "pytake.mediaFolder" -}}
{{- $url := coalesce (get .Values.settings "PYTAKE_MEDIA_URL") .Values.whatsapp.mediaUrl "file:/tmp/media" -}}
{{- if hasPrefix "file:" $url }}{{ trimPrefix "file:" $url | clean }}{{ end -}}
{{- end -}}

{{- /* The address of Redis. $(REDIS_PASSWORD) is expanded by the kubelet. */ -}}
{{- define "pytake.redisUrl" -}}
{{- $redis := .Values.redis -}}
{{- $schemes := dict "standalone" (ternary "rediss" "redis" $redis.tls.enabled) "sentinel" "redis+sentinel" "cluster" "redis+cluster" -}}
{{- $login := "" -}}
{{- if $redis.existingSecret -}}{{- $login = printf "%s:$(REDIS_PASSWORD)@" $redis.username -}}{{- end -}}
{{- $hosts := printf "%s:%v" $redis.host $redis.port -}}
{{- if eq $redis.mode "sentinel" -}}{{- $hosts = join "," $redis.sentinels -}}{{- end -}}
{{- $path := printf "/%v" $redis.database -}}
{{- if eq $redis.mode "sentinel" -}}{{- $path = printf "/%v/%s" $redis.database $redis.masterName -}}{{- end -}}
{{- $query := list -}}
{{- if and $redis.tls.enabled (ne $redis.mode "standalone") -}}{{- $query = append $query "tls=true" -}}{{- end -}}
{{- if $redis.tls.caSecret -}}{{- $query = append $query "ssl_ca_certs=/etc/pytake/redis-ca/ca.crt" -}}{{- end -}}
{{- get $schemes $redis.mode }}://{{ $login }}{{ $hosts }}{{ $path }}{{ if $query }}?{{ join "&" $query }}{{ end -}}
{{- end -}}
