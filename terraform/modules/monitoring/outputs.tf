output "namespace" {
  description = "Namespace of Prometheus, for the network policy of the release."
  value       = helm_release.this.namespace
}
