variable "name" {
  type        = string
  default     = "pytake"
  description = "Name of the release."
}

variable "namespace" {
  type        = string
  default     = "pytake"
  description = "Namespace to create, under the restricted pod security standard."
}

variable "chart" {
  type        = string
  description = "Path or OCI address of the chart pytake-realtime."
}

variable "chart_version" {
  type        = string
  default     = null
  description = "Version of the chart; null for a path."
}

variable "extra_values" {
  type        = list(string)
  default     = []
  description = "Further values as YAML; they stand above ours."
}

variable "database_url" {
  type        = string
  sensitive   = true
  description = "postgresql+asyncpg://user:password@host/name of the primary, or of a transaction-mode pooler."
  validation {
    condition     = startswith(var.database_url, "postgresql+asyncpg://")
    error_message = "database_url must begin with postgresql+asyncpg://."
  }
}

variable "database_listen_url" {
  type        = string
  default     = ""
  sensitive   = true
  description = "Direct address for LISTEN where database_url leads through a pooler."
}

variable "redis_password" {
  type        = string
  default     = ""
  sensitive   = true
  description = "Password of Redis; empty for none."
}

variable "jwt_secret" {
  type        = string
  default     = ""
  sensitive   = true
  description = "HMAC key of the tokens, 32 bytes or more; empty with public-key algorithms alone."
  validation {
    condition     = var.jwt_secret == "" || length(var.jwt_secret) >= 32
    error_message = "jwt_secret must have at least 32 bytes."
  }
}

variable "host" {
  type        = string
  description = "Host on which clients connect, without a scheme."
}

variable "allowed_origins" {
  type        = list(string)
  description = "Origins of the pages that may connect."
}

variable "peak_connections" {
  type        = number
  default     = 5000
  description = "Connections at the busiest time, all users together."
}

variable "connections_per_gateway" {
  type        = number
  default     = 5000
  description = "Ceiling of one gateway; 70 % of it is what autoscaling aims at."
}

variable "websocket_only" {
  type        = bool
  default     = false
  description = "All clients use WebSocket alone, so that no stickiness is needed."
}

variable "image" {
  type = object({
    registry   = optional(string, "")
    repository = optional(string, "pytake/realtime")
    tag        = optional(string, "")
    digest     = optional(string, "")
  })
  default     = {}
  description = "Image of all processes; an empty tag is the chart's own version."
}

variable "redis" {
  type = object({
    mode        = optional(string, "standalone")
    host        = optional(string, "")
    port        = optional(number, 6379)
    sentinels   = optional(list(string), [])
    master_name = optional(string, "mymaster")
    tls         = optional(bool, true)
    ca_secret   = optional(string, "")
    username    = optional(string, "")
  })
  description = "Where Redis is; the password is redis_password."
}

variable "jwt_algorithms" {
  type        = list(string)
  default     = ["HS256"]
  description = "Algorithms that tokens may be signed with."
}

variable "jwks_url" {
  type        = string
  default     = ""
  description = "Keys of another identity provider."
}

variable "ingress_profile" {
  type        = string
  default     = "nginx-f5"
  description = "Controller at the edge: nginx-f5, ingress-nginx, haproxy, traefik or custom."
}

variable "ingress_class" {
  type        = string
  default     = "nginx"
  description = "Ingress class."
}

variable "trusted_proxies" {
  type        = list(string)
  default     = []
  description = "Networks of the proxies in front: only from there X-Forwarded-For is believed. Empty: all people share the proxy's address and its limits."
}

variable "certificate_issuer" {
  type        = string
  default     = ""
  description = "ClusterIssuer of cert-manager; empty: the TLS secret is yours."
}

variable "drain_seconds" {
  type        = number
  default     = 60
  description = "Time in which a gateway that ends moves its clients."
}

variable "monitoring" {
  type        = bool
  default     = true
  description = "The Prometheus operator and Grafana's sidecar are there: monitors, alerts and dashboards."
}
