variable "region" {
  type        = string
  description = "AWS region."
}

variable "host" {
  type        = string
  description = "Host on which clients connect."
}

variable "allowed_origins" {
  type        = list(string)
  description = "Origins of the pages that may connect."
}

variable "jwt_secret" {
  type        = string
  sensitive   = true
  description = "HMAC key of the tokens."
}

variable "monitoring_repository" {
  type        = string
  description = "Helm repository that holds kube-prometheus-stack."
}
