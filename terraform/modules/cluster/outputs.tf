output "vpc_id" {
  description = "VPC of the cluster."
  value       = module.network.vpc_id
}

output "cidr" {
  description = "Addresses of the network: those of the pods too, and so of the ingress controller."
  value       = var.cidr
}

output "private_subnet_ids" {
  description = "Subnets of nodes and data stores."
  value       = module.network.private_subnets
}

output "node_security_group_id" {
  description = "Security group of the nodes."
  value       = module.eks.node_security_group_id
}

output "endpoint" {
  description = "Address of the API server."
  value       = module.eks.cluster_endpoint
}

output "certificate_authority" {
  description = "Authority of the API server, base64."
  value       = module.eks.cluster_certificate_authority_data
}

output "name" {
  description = "Name of the cluster."
  value       = module.eks.cluster_name
}
