{{- /* One Deployment. Takes root, component, values, and extra: replicas?, minReady? (instead of
the values' own), grace, preStop, account? (a service account whose token it gets). */ -}}
{{- define "pytake.deployment" -}}
{{- $root := .root -}}{{- $values := .values -}}
{{- $labels := dict "root" $root "component" .component -}}
{{- $folder := ternary "" (include "pytake.mediaFolder" $root) (eq .component "gateway") -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "pytake.fullname" $root }}-{{ .component }}
  labels: {{- include "pytake.labels" $labels | nindent 4 }}
spec:
  {{- if .replicas }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  minReadySeconds: {{ default $values.minReadySeconds .minReady }}
  # Longer than the grace: a slow drain is no failed rollout.
  progressDeadlineSeconds: {{ add 600 (int .grace) }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {{- toYaml $values.updateStrategy | nindent 6 }}
  selector:
    matchLabels: {{- include "pytake.selector" $labels | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "pytake.labels" $labels | nindent 8 }}
        {{- with $values.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      annotations:
        # A changed setting replaces the pods.
        checksum/settings: {{ include "pytake.settings" $root | sha256sum }}
        {{- if eq $root.Values.metrics.monitor "annotations" }}
        prometheus.io/scrape: "true"
        prometheus.io/port: "9090"
        prometheus.io/path: /metrics
        {{- end }}
        {{- with $values.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      serviceAccountName: {{ default (include "pytake.serviceAccount" $root) .account }}
      automountServiceAccountToken: {{ not (empty .account) }}
      terminationGracePeriodSeconds: {{ .grace }}
      enableServiceLinks: false
      securityContext: {{- toYaml $root.Values.podSecurityContext | nindent 8 }}
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "pytake.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ .component }}]
          # Why it ended, in `kubectl describe pod` as well as in its log.
          terminationMessagePolicy: FallbackToLogsOnError
          envFrom:
            - configMapRef: {name: {{ include "pytake.fullname" $root }}-settings}
          env:
            {{- include "pytake.secretEnv" $root | nindent 12 }}
            {{- if .account }}
            - name: PYTAKE_DELETION_COST_POD
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
            {{- end }}
          ports:
            - {name: http, containerPort: 8000}
            - {name: inner, containerPort: 9090}
          # Starting may take as long as the database and Redis need to be reached.
          startupProbe:
            httpGet: {path: /startupz, port: inner}
            periodSeconds: 2
            failureThreshold: 60
          # Liveness touches nothing: a lost Redis must not restart pods.
          livenessProbe:
            httpGet: {path: /livez, port: inner}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: {path: /readyz, port: inner}
            periodSeconds: 3
            timeoutSeconds: 3
            failureThreshold: 2
          {{- with .preStop }}
          lifecycle:
            preStop: {{- toYaml . | nindent 14 }}
          {{- end }}
          resources: {{- toYaml $values.resources | nindent 12 }}
          securityContext: {{- toYaml $root.Values.securityContext | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- if $folder }}
            - {name: media, mountPath: {{ $folder }}}
            {{- end }}
            {{- if $root.Values.redis.tls.caSecret }}
            - {name: redis-ca, mountPath: /etc/pytake/redis-ca, readOnly: true}
            {{- end }}
      volumes:
        - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
        {{- if $folder }}
        - {name: media, emptyDir: {sizeLimit: {{ $root.Values.whatsapp.mediaFolderSize }}}}
        {{- end }}
        {{- with $root.Values.redis.tls.caSecret }}
        - {name: redis-ca, secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}}
        {{- end }}
      {{- include "pytake.spread" $labels | nindent 6 }}
      {{- with $values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
{{- end -}}

{{- /* The pod is not ready at once, serves on until proxies have heard of it, and only then gets its
SIGTERM, at which a gateway moves its clients over the window. */ -}}
{{- define "pytake.preStop" -}}
httpGet: {path: "/internal/drain?wait={{ .Values.drain.propagationSeconds }}", port: inner}
{{- end -}}

{{- define "pytake.spread" -}}
{{- $spread := .root.Values.topologySpread -}}
{{- $keys := dict "zone" "topology.kubernetes.io/zone" "host" "kubernetes.io/hostname" -}}
{{- if or (ne $spread.zone "off") (ne $spread.host "off") }}
topologySpreadConstraints:
  {{- $component := . -}}
  {{- range $name, $key := $keys }}
  {{- $mode := get $spread $name }}
  {{- if ne $mode "off" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ ternary "DoNotSchedule" "ScheduleAnyway" (eq $mode "hard") }}
    labelSelector:
      matchLabels: {{- include "pytake.selector" $component | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "pytake.service" -}}
{{- $labels := dict "root" .root "component" .component -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "pytake.fullname" .root }}-{{ .component }}
  labels: {{- include "pytake.labels" $labels | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: ClusterIP
  selector: {{- include "pytake.selector" $labels | nindent 4 }}
  ports:
    - {name: http, port: 80, targetPort: http, appProtocol: http}
{{- end -}}

{{- define "pytake.pdb" -}}
{{- $labels := dict "root" .root "component" .component -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "pytake.fullname" .root }}-{{ .component }}
  labels: {{- include "pytake.labels" $labels | nindent 4 }}
spec:
  maxUnavailable: {{ .root.Values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels: {{- include "pytake.selector" $labels | nindent 6 }}
{{- end -}}
