variable "name" {
  type        = string
  description = "Identifier of the instance."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 63 lower-case letters, digits or hyphens, and begin with a letter."
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

variable "instance_class" {
  type        = string
  default     = "db.t4g.medium"
  description = "Size of the instance."
}

variable "engine_version" {
  type        = string
  default     = "16"
  description = "Major version of PostgreSQL; 15 or newer."
  validation {
    condition     = tonumber(split(".", var.engine_version)[0]) >= 15
    error_message = "engine_version must be 15 or newer."
  }
}

variable "storage_gib" {
  type        = number
  default     = 50
  description = "Storage at the start; it grows to four times this by itself."
  validation {
    condition     = var.storage_gib >= 20
    error_message = "storage_gib must be at least 20."
  }
}

variable "multi_az" {
  type        = bool
  default     = true
  description = "A standby in another zone."
}

variable "backup_days" {
  type        = number
  default     = 14
  description = "Days for which a point in time can be restored."
  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days must lie between 1 and 35."
  }
}

variable "deletion_protection" {
  type        = bool
  default     = true
  description = "Refuse to be deleted, and leave a last snapshot."
}
