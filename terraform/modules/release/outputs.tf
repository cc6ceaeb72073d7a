output "namespace" {
  description = "Namespace of the release."
  value       = kubernetes_namespace_v1.this.metadata[0].name
}

output "url" {
  description = "Where clients connect."
  value       = "https://${var.host}"
}

output "gateways" {
  description = "Least and largest number of gateways."
  value       = module.values.gateways
}
