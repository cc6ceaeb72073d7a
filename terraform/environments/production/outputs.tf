output "url" {
  description = "Where clients connect."
  value       = module.release.url
}
