variable "name" {
  description = "The cluster's name; what belongs to it begins with this."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 40 characters, a to z, 0 to 9 and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "resource_group_name" {
  description = "An existing resource group."
  type        = string
}

variable "location" {
  description = "The region; it must have availability zones."
  type        = string
}

variable "kubernetes_version" {
  description = "1.34 or newer. A minor version without a patch means its newest patch on the day of creation; neither moves by itself."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]{1,3}(\\.[0-9]{1,3})?$", var.kubernetes_version))
    error_message = "kubernetes_version must look like 1.34 or 1.34.4."
  }

  validation {
    condition     = try(tonumber(split(".", var.kubernetes_version)[1]) >= 34, true)
    error_message = "kubernetes_version must be 1.34 or newer: the chart and the nodes' driver use what older ones do not serve."
  }
}

variable "machine_size" {
  description = "The size of each machine. It must have premium storage, which sizes with an s have."
  type        = string
  default     = "Standard_D4s_v5"

  validation {
    condition     = can(regex("^Standard_[A-Za-z]+[0-9]+[a-z]*s[a-z]*_v[0-9]+$", var.machine_size))
    error_message = "machine_size must be a size with premium storage, like Standard_D4s_v5."
  }
}

variable "machines" {
  description = "How many machines there are. A ledger of four validators that shall outlive one machine needs four."
  type        = number
  default     = 4

  validation {
    condition     = var.machines >= 4 && var.machines <= 100 && floor(var.machines) == var.machines
    error_message = "machines must be a whole number from 4 to 100: with fewer, two of a ledger's four validators share a machine, and end with it."
  }
}

variable "zones" {
  description = "The availability zones that the machines are spread over. Volumes do not leave theirs."
  type        = set(string)
  default     = ["1", "2", "3"]

  validation {
    condition     = length(var.zones) >= 1 && length(setsubtract(var.zones, ["1", "2", "3"])) == 0
    error_message = "zones must be one or more of 1, 2 and 3."
  }
}

variable "address_space" {
  description = "The private network, /16 to /20. The machines have its first sixteenth; the second one is for databases."
  type        = string
  default     = "10.64.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.address_space, 4, 0)) && can(regex("/(16|17|18|19|20)$", var.address_space))
    error_message = "address_space must be an IPv4 network from /16 to /20, like 10.64.0.0/16."
  }

  validation {
    condition     = !can(regex("^10\\.(96|244)\\.", var.address_space))
    error_message = "address_space must not lie in 10.96.0.0/16 or 10.244.0.0/16: services and pods have these."
  }
}

variable "api_clients" {
  description = "Who may reach the cluster's API from the internet, as IPv4 networks. Without an entry it has a private address only. From none to some, or back, makes another cluster."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for network in var.api_clients : can(cidrhost(network, 0)) && can(regex("/", network))])
    error_message = "api_clients must be networks, like 192.0.2.0/24 or 192.0.2.7/32."
  }

  validation {
    condition     = alltrue([for network in var.api_clients : !endswith(network, "/0")])
    error_message = "api_clients must not be everybody: name networks, or none for a private address."
  }
}

variable "system_upgrades" {
  description = "What is done to the machines' operating systems by itself, and only within maintenance: None, SecurityPatch, or NodeImage, which restarts machines one by one."
  type        = string
  default     = "None"

  validation {
    condition     = contains(["None", "SecurityPatch", "NodeImage"], var.system_upgrades)
    error_message = "system_upgrades must be None, SecurityPatch or NodeImage."
  }
}

variable "maintenance" {
  description = "When system_upgrades may begin: a day of the week and a time in UTC, for four hours."
  type = object({
    day  = string
    time = string
  })
  default = {
    day  = "Sunday"
    time = "02:00"
  }

  validation {
    condition     = contains(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], var.maintenance.day)
    error_message = "maintenance.day must be a day of the week in English, like Sunday."
  }

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.maintenance.time))
    error_message = "maintenance.time must be a time of the day, like 02:00."
  }
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
