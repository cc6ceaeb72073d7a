variable "host" {
  type        = string
  description = "Host on which clients connect, without a scheme."
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", var.host))
    error_message = "host must be a name such as api.example.com, without a scheme or a path."
  }
}

variable "allowed_origins" {
  type        = list(string)
  description = "Origins of the pages that may connect."
  validation {
    condition     = length(var.allowed_origins) > 0 && alltrue([for origin in var.allowed_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "allowed_origins must list origins such as https://app.example.com; `*` would let any page act for your users."
  }
}

variable "peak_connections" {
  type        = number
  default     = 5000
  description = "Connections at the busiest time, all users together."
  validation {
    condition     = var.peak_connections > 0
    error_message = "peak_connections must be above zero."
  }
}

variable "connections_per_gateway" {
  type        = number
  default     = 5000
  description = "Ceiling of one gateway; 70 % of it is what autoscaling aims at."
  validation {
    condition     = var.connections_per_gateway >= 100 && var.connections_per_gateway <= 50000
    error_message = "connections_per_gateway must lie between 100 and 50000."
  }
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
    secret      = optional(string, "")
  })
  description = "Where Redis is; `secret` names a Kubernetes secret with the key redis-password."
  validation {
    condition     = contains(["standalone", "sentinel", "cluster"], var.redis.mode)
    error_message = "redis.mode must be standalone, sentinel or cluster."
  }
  validation {
    condition     = var.redis.mode == "sentinel" ? length(var.redis.sentinels) > 0 : var.redis.host != ""
    error_message = "redis needs sentinels in mode sentinel, and a host in the others."
  }
}

variable "database_secret" {
  type        = string
  description = "Kubernetes secret with the key database-url."
}

variable "database_listens_directly" {
  type        = bool
  default     = false
  description = "The secret has a key listen-url too: a direct address beside that of a pooler."
}

variable "auth_secret" {
  type        = string
  default     = ""
  description = "Kubernetes secret with the key jwt-secret; empty with public-key algorithms alone."
}

variable "jwt_algorithms" {
  type        = list(string)
  default     = ["HS256"]
  description = "Algorithms that tokens may be signed with."
  validation {
    condition     = length(var.jwt_algorithms) > 0 && !contains([for name in var.jwt_algorithms : lower(name)], "none")
    error_message = "jwt_algorithms must list at least one algorithm, and never none."
  }
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
  validation {
    condition     = contains(["nginx-f5", "ingress-nginx", "haproxy", "traefik", "custom"], var.ingress_profile)
    error_message = "ingress_profile must be nginx-f5, ingress-nginx, haproxy, traefik or custom."
  }
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
  validation {
    condition     = alltrue([for network in var.trusted_proxies : can(cidrhost(network, 0))])
    error_message = "trusted_proxies must list networks such as 10.40.0.0/16."
  }
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
  validation {
    condition     = var.drain_seconds >= 5 && var.drain_seconds <= 600
    error_message = "drain_seconds must lie between 5 and 600."
  }
}

variable "monitoring" {
  type        = bool
  default     = true
  description = "The Prometheus operator and Grafana's sidecar are there: monitors, alerts and dashboards."
}
