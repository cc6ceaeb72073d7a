{{- /* What the schema cannot say: pairs of values that contradict each other. Each stops with a sentence. */ -}}
{{- define "pytake.validate" -}}
{{- $v := .Values -}}
{{- $sum := int (add $v.drain.propagationSeconds $v.drain.windowSeconds $v.drain.slackSeconds) -}}
{{- if and $v.drain.terminationGracePeriodSeconds (lt (int $v.drain.terminationGracePeriodSeconds) $sum) -}}
{{- fail (printf "drain.terminationGracePeriodSeconds (%v) is shorter than propagation, window and slack together (%v): pods would be killed while they move their clients. Leave it 0, or raise it." $v.drain.terminationGracePeriodSeconds $sum) -}}
{{- end -}}
{{- if and (ne $v.redis.mode "sentinel") (not $v.redis.host) -}}
{{- fail "redis.host is empty: gateways, API and relay need a Redis, one replica or many. Name its host (or set redis.mode to sentinel and list redis.sentinels)." -}}
{{- end -}}
{{- if and (eq $v.redis.mode "sentinel") (not $v.redis.sentinels) -}}
{{- fail "redis.mode is sentinel, but redis.sentinels is empty: list them as host:port." -}}
{{- end -}}
{{- if and (eq $v.redis.mode "cluster") (ne (int $v.redis.database) 0) -}}
{{- fail "redis.database must be 0 with redis.mode cluster: a cluster has no other." -}}
{{- end -}}
{{- if not $v.database.existingSecret -}}
{{- fail "database.existingSecret is empty: name the secret that holds the address of PostgreSQL." -}}
{{- end -}}
{{- $hmac := false -}}{{- $public := false -}}
{{- range $v.auth.algorithms -}}{{- if hasPrefix "HS" . -}}{{- $hmac = true -}}{{- else -}}{{- $public = true -}}{{- end -}}{{- end -}}
{{- if and $hmac (not $v.auth.existingSecret) -}}
{{- fail "auth.existingSecret is empty: name the secret with the HMAC key, or allow public-key algorithms only." -}}
{{- end -}}
{{- if and $public (not $v.auth.jwksUrl) -}}
{{- fail "auth.jwksUrl is empty, but auth.algorithms has a public-key algorithm: nobody could sign in." -}}
{{- end -}}
{{- if has "*" $v.auth.allowedOrigins -}}
{{- fail "auth.allowedOrigins must not contain `*`: any page could then act for your users. List your origins." -}}
{{- end -}}
{{- if not $v.auth.allowedOrigins -}}
{{- fail "auth.allowedOrigins is empty: browsers could not connect. List the origins of your pages, such as https://app.example.com." -}}
{{- end -}}
{{- $many := gt (int (include "pytake.gatewayReplicas" .)) 1 -}}
{{- $polling := not $v.gateway.websocketOnly -}}
{{- if and $v.ingress.enabled $polling $many (not $v.ingress.sticky.enabled) (ne $v.ingress.profile "custom") -}}
{{- fail "ingress.sticky.enabled is false with several gateways: polling clients would get `Session ID unknown`. Switch it on, or set gateway.websocketOnly if every client uses transports: [\"websocket\"]." -}}
{{- end -}}
{{- if and $v.gatewayApi.enabled $polling $many (not $v.gatewayApi.sessionPersistence) -}}
{{- fail "gatewayApi.sessionPersistence is false with several gateways: polling clients would get `Session ID unknown`. Switch it on if your controller has it, or set gateway.websocketOnly." -}}
{{- end -}}
{{- if and $v.ingress.enabled $v.gatewayApi.enabled -}}
{{- fail "ingress.enabled and gatewayApi.enabled are both true: choose one way in." -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) -}}
{{- fail "ingress.host is empty: name the host on which clients connect." -}}
{{- end -}}
{{- if and $v.gatewayApi.enabled (not $v.gatewayApi.parentRefs) -}}
{{- fail "gatewayApi.parentRefs is empty: name the Gateway that the route belongs to." -}}
{{- end -}}
{{- $pings := addf $v.gateway.pingIntervalSeconds $v.gateway.pingTimeoutSeconds -}}
{{- if and $v.ingress.timeoutSeconds (le (float64 $v.ingress.timeoutSeconds) $pings) -}}
{{- fail (printf "ingress.timeoutSeconds (%v) is not above ping interval and timeout together (%v): the proxy would cut idle connections. Leave it 0." $v.ingress.timeoutSeconds $pings) -}}
{{- end -}}
{{- if and (ne $v.autoscaling.mode "none") (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and (eq $v.autoscaling.mode "keda") (not $v.autoscaling.keda.prometheusAddress) -}}
{{- fail "autoscaling.keda.prometheusAddress is empty: KEDA would not know whom to ask." -}}
{{- end -}}
{{- if and $v.externalSecrets.enabled (not $v.externalSecrets.storeRef.name) -}}
{{- fail "externalSecrets.storeRef.name is empty: name the secret store." -}}
{{- end -}}
{{- if and $v.whatsapp.existingSecret (not $v.whatsapp.mediaUrl) (not (hasKey $v.settings "PYTAKE_MEDIA_URL")) -}}
{{- fail "whatsapp.mediaUrl is empty: a relay would keep customers' pictures in a folder of its own, where no API pod finds them. Name a bucket, or file:/tmp/media to do without files." -}}
{{- end -}}
{{- range $name, $_ := $v.settings -}}
{{- if regexMatch "(SECRET|PASSWORD|ACCESS_TOKEN|VERIFY_TOKEN|_URL)$" $name -}}
{{- if or (regexMatch "(SECRET|PASSWORD|TOKEN)$" $name) (regexMatch "://[^/]*@" (toString (get $v.settings $name))) -}}
{{- fail (printf "settings.%s would put a secret into a ConfigMap: use the secret references instead." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
