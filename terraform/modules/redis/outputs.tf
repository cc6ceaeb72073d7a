output "host" {
  description = "Address of the primary; it follows a failover."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "password" {
  description = "Password."
  value       = random_password.this.result
  sensitive   = true
}
