variable "region" {
  type        = string
  description = "AWS region."
}

variable "operator_cidrs" {
  type        = list(string)
  default     = []
  description = "Networks from which the cluster is operated, the machine that runs this among them. Empty: it is one of the nodes, or its security group is admitted to the cluster's."
}

variable "host" {
  type        = string
  description = "Host on which clients connect."
}

variable "image_registry" {
  type        = string
  description = "Registry with the image pytake/realtime, built for the architecture of the nodes."
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
