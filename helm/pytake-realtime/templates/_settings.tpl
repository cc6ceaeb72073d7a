{{- /* PYTAKE_* without secrets: the ConfigMap. What `settings` names stands above the chart's own. */ -}}
{{- define "pytake.settings" -}}
{{- $settings := mergeOverwrite (include "pytake.ownSettings" . | fromYaml) .Values.settings -}}
{{- range $name, $value := $settings }}
{{- /* Helm reads numbers as floats, and writes large ones as 2.68e+08, which is no integer to us. */ -}}
{{- $text := toString $value -}}
{{- if regexMatch "^[0-9.]+e\\+[0-9]+$" $text -}}{{- $text = printf "%.0f" (float64 $text) -}}{{- end }}
{{ $name }}: {{ $text | quote }}
{{- end }}
{{- end -}}

{{- define "pytake.ownSettings" -}}
{{- $v := .Values -}}
PYTAKE_HOST: "0.0.0.0"
PYTAKE_PORT: "8000"
PYTAKE_METRICS_HOST: "0.0.0.0"
PYTAKE_METRICS_PORT: "9090"
PYTAKE_REDIS_CHANNEL: {{ $v.redis.channel | quote }}
PYTAKE_TRUSTED_PROXIES: {{ join "," $v.trustedProxies | quote }}
PYTAKE_JWT_ALGORITHMS: {{ join "," $v.auth.algorithms | quote }}
PYTAKE_JWT_JWKS_URL: {{ $v.auth.jwksUrl | quote }}
PYTAKE_JWT_ISSUER: {{ $v.auth.issuer | quote }}
PYTAKE_JWT_AUDIENCE: {{ $v.auth.audience | quote }}
PYTAKE_ACCESS_TOKEN_TTL: {{ $v.auth.accessTokenTtl | quote }}
PYTAKE_CORS_ALLOWED_ORIGINS: {{ join "," $v.auth.allowedOrigins | quote }}
PYTAKE_MAX_CONNECTIONS_PER_USER: {{ $v.gateway.maxConnectionsPerUser | quote }}
PYTAKE_MAX_CONNECTIONS: {{ $v.gateway.maxConnections | quote }}
PYTAKE_MAX_CONNECTION_AGE: {{ $v.gateway.maxConnectionAgeSeconds | quote }}
PYTAKE_HANDSHAKE_RATE: {{ $v.gateway.handshakeRate | quote }}
PYTAKE_EVENT_RATE_LIMIT: {{ $v.gateway.eventRateLimit | quote }}
PYTAKE_HTTP_RATE_LIMIT: {{ $v.api.httpRateLimit | quote }}
PYTAKE_HTTP_RATE_LIMIT_BOT: {{ $v.api.httpRateLimitBot | quote }}
PYTAKE_PING_INTERVAL: {{ $v.gateway.pingIntervalSeconds | quote }}
PYTAKE_PING_TIMEOUT: {{ $v.gateway.pingTimeoutSeconds | quote }}
PYTAKE_DRAIN_SECONDS: {{ $v.drain.windowSeconds | quote }}
PYTAKE_TRANSPORT: {{ $v.gateway.transport | quote }}
PYTAKE_WHATSAPP_PHONE_NUMBER_ID: {{ $v.whatsapp.phoneNumberId | quote }}
PYTAKE_WHATSAPP_ORGANIZATION: {{ $v.whatsapp.organization | quote }}
PYTAKE_WHATSAPP_API_VERSION: {{ $v.whatsapp.apiVersion | quote }}
{{- with $v.whatsapp.mediaUrl }}
PYTAKE_MEDIA_URL: {{ . | quote }}
{{- else }}
PYTAKE_MEDIA_URL: "file:/tmp/media"
{{- end }}
PYTAKE_OTLP_ENDPOINT: {{ $v.tracing.endpoint | quote }}
PYTAKE_TRACE_SAMPLE_RATIO: {{ $v.tracing.sampleRatio | quote }}
PYTAKE_DEMO: "off"
{{- end -}}

{{- define "pytake.secretEnv" -}}
{{- $v := .Values -}}
- name: PYTAKE_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ $v.database.existingSecret }}, key: {{ $v.database.urlKey }}}}
{{- with $v.database.listenUrlKey }}
- name: PYTAKE_DATABASE_LISTEN_URL
  valueFrom: {secretKeyRef: {name: {{ $v.database.existingSecret }}, key: {{ . }}}}
{{- end }}
{{- with $v.redis.existingSecret }}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $v.redis.passwordKey }}}}
{{- end }}
- name: PYTAKE_REDIS_URL
  value: {{ include "pytake.redisUrl" . | quote }}
{{- with $v.auth.existingSecret }}
- name: PYTAKE_JWT_SECRET
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $v.auth.secretKey }}}}
{{- with $v.auth.previousSecretKey }}
- name: PYTAKE_JWT_PREVIOUS_SECRET
  valueFrom: {secretKeyRef: {name: {{ $v.auth.existingSecret }}, key: {{ . }}}}
{{- end }}
{{- end }}
{{- with $v.whatsapp.existingSecret }}
- name: PYTAKE_WHATSAPP_APP_SECRET
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $v.whatsapp.appSecretKey }}}}
{{- with $v.whatsapp.previousAppSecretKey }}
- name: PYTAKE_WHATSAPP_PREVIOUS_APP_SECRET
  valueFrom: {secretKeyRef: {name: {{ $v.whatsapp.existingSecret }}, key: {{ . }}}}
{{- end }}
- name: PYTAKE_WHATSAPP_VERIFY_TOKEN
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $v.whatsapp.verifyTokenKey }}}}
- name: PYTAKE_WHATSAPP_ACCESS_TOKEN
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $v.whatsapp.accessTokenKey }}}}
{{- end }}
{{- with $v.whatsapp.mediaSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ . }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: AWS_SECRET_ACCESS_KEY}}
{{- end }}
{{- end -}}
