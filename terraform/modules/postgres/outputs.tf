output "url" {
  description = "Address as the platform wants it."
  value       = "postgresql+asyncpg://pytake:${random_password.this.result}@${aws_db_instance.this.endpoint}/pytake"
  sensitive   = true
}
