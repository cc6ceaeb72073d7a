variable "namespace" {
  type        = string
  default     = "monitoring"
  description = "Namespace to install into."
}

variable "repository" {
  type        = string
  description = "Helm repository that holds kube-prometheus-stack."
}

variable "chart_version" {
  type        = string
  default     = null
  description = "Version of kube-prometheus-stack."
}

variable "extra_values" {
  type        = list(string)
  default     = []
  description = "Further values as YAML, such as the receivers of Alertmanager."
}
