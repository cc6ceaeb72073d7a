variable "name" {
  type        = string
  description = "Name of the replication group."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 40 lower-case letters, digits or hyphens, and begin with a letter."
  }
}

variable "vpc_id" {
  type        = string
  description = "VPC of the cluster."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets, in at least two zones."
  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name subnets in at least two zones."
  }
}

variable "client_security_group_ids" {
  type        = list(string)
  description = "Security groups of the nodes that may connect."
}

variable "node_type" {
  type        = string
  default     = "cache.t4g.small"
  description = "Size of a node; CPU counts, memory hardly does."
}

variable "engine_version" {
  type        = string
  default     = "7.1"
  description = "Redis version; sharded pub/sub needs 7."
  validation {
    condition     = tonumber(split(".", var.engine_version)[0]) >= 7
    error_message = "engine_version must be 7 or newer."
  }
}

variable "nodes" {
  type        = number
  default     = 2
  description = "Primary and replicas."
  validation {
    condition     = var.nodes >= 1 && var.nodes <= 6
    error_message = "nodes must lie between 1 and 6."
  }
}
