variable "name" {
  type        = string
  description = "Name of network and cluster."
}

variable "cidr" {
  type        = string
  default     = "10.40.0.0/16"
  description = "Addresses of the network."
  validation {
    condition     = can(cidrnetmask(var.cidr)) && tonumber(split("/", var.cidr)[1]) <= 16
    error_message = "cidr must be a network of /16 or larger."
  }
}

variable "zones" {
  type        = number
  default     = 3
  description = "Availability zones."
  validation {
    condition     = var.zones >= 2 && var.zones <= 4
    error_message = "zones must lie between 2 and 4."
  }
}

variable "single_nat_gateway" {
  type        = bool
  default     = false
  description = "One NAT gateway for all zones: cheaper, and a zone that fails takes it along."
}

variable "kubernetes_version" {
  type        = string
  default     = "1.34"
  description = "Version of Kubernetes."
}

variable "instance_types" {
  type        = list(string)
  default     = ["m7g.large"]
  description = "Types of the nodes, of one architecture: the image must be built for it. One gateway uses one core: few large nodes or many small ones cost the same."
  validation {
    condition     = length(distinct([for type in var.instance_types : can(regex("^([a-z]+[0-9]+g|a1\\.)", type))])) == 1
    error_message = "instance_types must list types of one architecture, ARM (m7g) or x86 (m7i)."
  }
}

variable "public_access_cidrs" {
  type        = list(string)
  default     = []
  description = "Networks from which the API server can be reached, that of the machine that runs Terraform for one. Empty: only from inside the VPC, by whom the security group of the cluster admits (the nodes)."
  validation {
    condition     = alltrue([for network in var.public_access_cidrs : can(cidrhost(network, 0))])
    error_message = "public_access_cidrs must list networks such as 203.0.113.7/32."
  }
}

variable "nodes" {
  type = object({
    minimum = optional(number, 3)
    maximum = optional(number, 12)
  })
  default     = {}
  description = "Size of the node group."
  validation {
    condition     = var.nodes.minimum >= 2 && var.nodes.minimum <= var.nodes.maximum
    error_message = "nodes.minimum must be at least 2 and not above nodes.maximum."
  }
}
