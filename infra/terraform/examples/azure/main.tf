# A cluster and the control plane's database beside it, in one private network.

terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}

variable "subscription_id" {
  description = "The subscription that everything is made in and charged to."
  type        = string
}

variable "name" {
  description = "What everything's name begins with. The database's must be new at the provider."
  type        = string
}

variable "location" {
  description = "The region."
  type        = string
  default     = "germanywestcentral"
}

variable "database_password" {
  description = "The database administrator's, by TF_VAR_database_password; it is kept nowhere."
  type        = string
  sensitive   = true
  ephemeral   = true
}

provider "azurerm" {
  subscription_id = var.subscription_id

  features {}
}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
}

module "cluster" {
  source = "../../modules/cluster"

  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  kubernetes_version  = "1.34"
}

module "database" {
  source = "../../modules/database"

  name                   = "${var.name}-database"
  resource_group_name    = azurerm_resource_group.this.name
  location               = azurerm_resource_group.this.location
  network                = module.cluster.network
  subnet_prefix          = cidrsubnet(module.cluster.databases_prefix, 8, 0)
  clients                = [module.cluster.machines_prefix]
  administrator_password = var.database_password
}

output "kubeconfig" {
  value     = module.cluster.kubeconfig
  sensitive = true
}

output "administrator_url" {
  value = module.database.administrator_url
}

output "secret_urls" {
  value = module.database.secret_urls
}

output "chart_values" {
  description = "For the chart, beside values of your own."
  value       = yamlencode({ database = module.database.chart_database })
}
