output "yaml" {
  description = "The values as Helm reads them."
  value       = yamlencode(local.values)
}

output "gateways" {
  description = "Least and largest number of gateways for the load."
  value       = { minimum = local.gateway_minimum, maximum = local.gateway_maximum }
}
