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
  description = "One gateway uses one core: few large nodes or many small ones cost the same."
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
