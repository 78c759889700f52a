variable "name" {
  description = "The server's name, which no other server of the provider may have: the first label of its address."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 63 characters, a to z, 0 to 9 and hyphens, and neither begin nor end with a hyphen."
  }
}

variable "resource_group_name" {
  description = "The resource group of the network."
  type        = string
}

variable "location" {
  description = "The region of the network."
  type        = string
}

variable "network" {
  description = "The private network that the server is put into: the output network of the module cluster."
  type = object({
    id   = string
    name = string
  })
}

variable "subnet_prefix" {
  description = "A subnet for the server alone, /28 or larger: a part of the output databases_prefix of the module cluster."
  type        = string

  validation {
    condition     = can(cidrhost(var.subnet_prefix, 0)) && can(regex("/(1[6-9]|2[0-8])$", var.subnet_prefix))
    error_message = "subnet_prefix must be an IPv4 network from /16 to /28, like 10.64.16.0/28."
  }
}

variable "clients" {
  description = "Networks that may reach the server, and nobody else may: the output machines_prefix of the module cluster."
  type        = set(string)

  validation {
    condition     = length(var.clients) > 0
    error_message = "clients must name a network: nobody could reach the server."
  }

  validation {
    condition     = alltrue([for network in var.clients : can(cidrhost(network, 0)) && can(regex("/", network))])
    error_message = "clients must be networks, like 10.64.0.0/20."
  }

  validation {
    condition     = alltrue([for network in var.clients : !endswith(network, "/0")])
    error_message = "clients must not be everybody."
  }
}

variable "postgresql_version" {
  description = "The major version: 15, which the tests run on, or newer."
  type        = string
  default     = "15"

  validation {
    condition     = contains(["15", "16", "17", "18"], var.postgresql_version)
    error_message = "postgresql_version must be 15, 16, 17 or 18."
  }
}

variable "machine_size" {
  description = "The size of the server's machine."
  type        = string
  default     = "GP_Standard_D2ds_v5"

  validation {
    condition     = can(regex("^(B|GP|MO)_Standard_[A-Za-z0-9_]+$", var.machine_size))
    error_message = "machine_size must be a tier and a size, like GP_Standard_D2ds_v5."
  }
}

variable "storage_gib" {
  description = "Storage in GiB. It grows by itself before it is full, and never shrinks."
  type        = number
  default     = 64

  validation {
    condition     = contains([32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384], var.storage_gib)
    error_message = "storage_gib must be a power of two from 32 to 16384."
  }
}

variable "standby" {
  description = "Where a second server waits with the same data: another zone, the same zone, or nowhere."
  type        = string
  default     = "other_zone"

  validation {
    condition     = contains(["other_zone", "same_zone", "none"], var.standby)
    error_message = "standby must be other_zone, same_zone or none."
  }

  validation {
    condition     = var.standby == "none" || !startswith(var.machine_size, "B_")
    error_message = "standby must be none where machine_size begins with B_: these sizes cannot have one."
  }
}

variable "backup_days" {
  description = "For how many days any moment can be restored."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 7 && var.backup_days <= 35 && floor(var.backup_days) == var.backup_days
    error_message = "backup_days must be a whole number from 7 to 35."
  }
}

variable "backups_in_other_region" {
  description = "Whether backups are kept in the paired region too. Changing this makes another server."
  type        = bool
  default     = false
}

variable "maintenance" {
  description = "When the provider may restart the server: a day of the week (0 is Sunday) and an hour in UTC."
  type = object({
    day  = number
    hour = number
  })
  default = {
    day  = 0
    hour = 2
  }

  validation {
    condition     = contains(range(7), var.maintenance.day)
    error_message = "maintenance.day must be a whole number from 0, Sunday, to 6."
  }

  validation {
    condition     = contains(range(24), var.maintenance.hour)
    error_message = "maintenance.hour must be a whole number from 0 to 23."
  }
}

variable "administrator" {
  description = "Who makes the roles and the database. No service logs in as this."
  type        = string
  default     = "hansa_administrator"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{2,62}$", var.administrator)) && !startswith(var.administrator, "pg_")
    error_message = "administrator must have 3 to 63 characters, a to z, 0 to 9 and underscores, begin with a letter and not with pg_."
  }

  validation {
    condition     = !contains(["admin", "administrator", "azure_pg_admin", "azure_superuser", "guest", "public", "root"], var.administrator)
    error_message = "administrator must not be a name that the provider keeps: admin, administrator, azure_pg_admin, azure_superuser, guest, public, root."
  }
}

variable "administrator_password" {
  description = "Goes to the server and neither into a plan nor into the state."
  type        = string
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = length(var.administrator_password) >= 24 && length(var.administrator_password) <= 128
    error_message = "administrator_password must have 24 to 128 characters."
  }
}

variable "administrator_password_version" {
  description = "Raise it by one with another password; nothing else shows that there is one."
  type        = number
  default     = 1

  validation {
    condition     = var.administrator_password_version >= 1 && floor(var.administrator_password_version) == var.administrator_password_version
    error_message = "administrator_password_version must be a whole number from 1."
  }
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
