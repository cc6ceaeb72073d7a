# A VPC with two kinds of subnets and an EKS cluster, by the community's modules.

terraform {
  required_version = ">= 1.5.7"
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 6.0" }
  }
}

data "aws_availability_zones" "available" {
  state = "available"
}

locals {
  zones = slice(data.aws_availability_zones.available.names, 0, var.zones)
  # Graviton is the g behind the generation (m7g, c7gn), not the g of a graphics family (g5).
  is_arm = can(regex("^([a-z]+[0-9]+g|a1\\.)", var.instance_types[0]))
}

module "network" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "~> 6.0"

  name                 = var.name
  cidr                 = var.cidr
  azs                  = local.zones
  private_subnets      = [for index, _ in local.zones : cidrsubnet(var.cidr, 4, index)]
  public_subnets       = [for index, _ in local.zones : cidrsubnet(var.cidr, 8, 240 + index)]
  enable_nat_gateway   = true
  single_nat_gateway   = var.single_nat_gateway
  enable_dns_hostnames = true
  public_subnet_tags   = { "kubernetes.io/role/elb" = "1" }
  private_subnet_tags  = { "kubernetes.io/role/internal-elb" = "1" }
}

module "eks" {
  source  = "terraform-aws-modules/eks/aws"
  version = "~> 21.0"

  name               = var.name
  kubernetes_version = var.kubernetes_version
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.private_subnets

  # Where the API server is reached from, and by whom: without both, nothing can be installed.
  endpoint_public_access                   = length(var.public_access_cidrs) > 0
  endpoint_public_access_cidrs             = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  enable_cluster_creator_admin_permissions = true

  # The module asks EKS for a bare cluster: nodes become ready only with a network.
  addons = {
    vpc-cni    = { before_compute = true }
    kube-proxy = {}
    coredns    = {}
  }

  eks_managed_node_groups = {
    default = {
      ami_type       = local.is_arm ? "AL2023_ARM_64_STANDARD" : "AL2023_x86_64_STANDARD"
      instance_types = var.instance_types
      min_size       = var.nodes.minimum
      max_size       = var.nodes.maximum
      desired_size   = var.nodes.minimum
    }
  }
}
