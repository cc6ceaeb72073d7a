# The chart's values, composed and checked without any provider, so that `terraform test` proves them
# on every machine. The release module hands them to Helm.

terraform {
  required_version = ">= 1.5.7"
}

locals {
  # What one gateway holds with headroom for a lost pod and a rollout; docs/sizing.md has the rules.
  gateways_for_load = ceil(var.peak_connections / (var.connections_per_gateway * 0.7))
  gateway_minimum   = max(2, local.gateways_for_load)
  gateway_maximum   = max(local.gateway_minimum * 3, 4)

  is_sentinel = var.redis.mode == "sentinel"
  redis = {
    for key, value in {
      mode           = var.redis.mode
      tls            = { enabled = var.redis.tls, caSecret = var.redis.ca_secret }
      host           = local.is_sentinel ? null : var.redis.host
      port           = local.is_sentinel ? null : var.redis.port
      sentinels      = local.is_sentinel ? var.redis.sentinels : null
      masterName     = local.is_sentinel ? var.redis.master_name : null
      username       = var.redis.username
      existingSecret = var.redis.secret
    } : key => value if value != null
  }

  values = {
    image   = { registry = var.image.registry, repository = var.image.repository, tag = var.image.tag, digest = var.image.digest }
    gateway = { replicaCount = local.gateway_minimum, maxConnections = var.connections_per_gateway, websocketOnly = var.websocket_only }
    redis   = local.redis
    database = {
      existingSecret = var.database_secret
      listenUrlKey   = var.database_listens_directly ? "listen-url" : ""
    }
    auth = {
      existingSecret = var.auth_secret
      algorithms     = var.jwt_algorithms
      jwksUrl        = var.jwks_url
      allowedOrigins = var.allowed_origins
    }
    trustedProxies = var.trusted_proxies
    ingress = {
      enabled   = true
      profile   = var.ingress_profile
      className = var.ingress_class
      host      = var.host
      tls       = { enabled = true, issuer = var.certificate_issuer }
    }
    autoscaling = {
      mode                    = "hpa"
      minReplicas             = local.gateway_minimum
      maxReplicas             = local.gateway_maximum
      targetConnectionsPerPod = floor(var.connections_per_gateway * 0.7)
    }
    drain          = { windowSeconds = var.drain_seconds }
    metrics        = { monitor = var.monitoring ? "pod" : "annotations" }
    prometheusRule = { enabled = var.monitoring }
    dashboards     = { enabled = var.monitoring }
  }
}
