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

  eks_managed_node_groups = {
    default = {
      instance_types = var.instance_types
      min_size       = var.nodes.minimum
      max_size       = var.nodes.maximum
      desired_size   = var.nodes.minimum
    }
  }
}
