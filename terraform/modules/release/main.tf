# Namespace, secrets and the Helm release. What the values are is decided in ./values, without a provider.

terraform {
  required_version = ">= 1.5.7"
  required_providers {
    helm       = { source = "hashicorp/helm", version = "~> 3.0" }
    kubernetes = { source = "hashicorp/kubernetes", version = "~> 2.36" }
  }
}

module "values" {
  source = "./values"

  host                      = var.host
  allowed_origins           = var.allowed_origins
  peak_connections          = var.peak_connections
  connections_per_gateway   = var.connections_per_gateway
  websocket_only            = var.websocket_only
  image                     = var.image
  redis                     = merge(var.redis, { secret = var.redis_password == "" ? "" : local.redis_secret })
  database_secret           = local.database_secret
  database_listens_directly = var.database_listen_url != ""
  auth_secret               = var.jwt_secret == "" ? "" : local.auth_secret
  jwt_algorithms            = var.jwt_algorithms
  jwks_url                  = var.jwks_url
  ingress_profile           = var.ingress_profile
  ingress_class             = var.ingress_class
  trusted_proxies           = var.trusted_proxies
  certificate_issuer        = var.certificate_issuer
  drain_seconds             = var.drain_seconds
  monitoring                = var.monitoring
}

locals {
  database_secret = "${var.name}-database"
  redis_secret    = "${var.name}-redis"
  auth_secret     = "${var.name}-auth"
}

resource "kubernetes_namespace_v1" "this" {
  metadata {
    name = var.namespace
    labels = {
      "pod-security.kubernetes.io/enforce" = "restricted"
    }
  }
}

resource "kubernetes_secret_v1" "database" {
  metadata {
    name      = local.database_secret
    namespace = kubernetes_namespace_v1.this.metadata[0].name
  }
  data = merge(
    { "database-url" = var.database_url },
    var.database_listen_url == "" ? {} : { "listen-url" = var.database_listen_url },
  )
}

resource "kubernetes_secret_v1" "redis" {
  count = var.redis_password == "" ? 0 : 1
  metadata {
    name      = local.redis_secret
    namespace = kubernetes_namespace_v1.this.metadata[0].name
  }
  # It becomes part of an address.
  data = { "redis-password" = urlencode(var.redis_password) }
}

resource "kubernetes_secret_v1" "auth" {
  count = var.jwt_secret == "" ? 0 : 1
  metadata {
    name      = local.auth_secret
    namespace = kubernetes_namespace_v1.this.metadata[0].name
  }
  data = { "jwt-secret" = var.jwt_secret }
}

resource "helm_release" "this" {
  name      = var.name
  namespace = kubernetes_namespace_v1.this.metadata[0].name
  chart     = var.chart
  version   = var.chart_version
  values    = concat([module.values.yaml], var.extra_values)

  # A drain takes its time, and a failed upgrade goes back by itself.
  atomic  = true
  wait    = true
  timeout = 900

  depends_on = [kubernetes_secret_v1.database, kubernetes_secret_v1.redis, kubernetes_secret_v1.auth]
}
