# Plans with a provider that is played: what is made is read off, and bad input is refused.

# The provider looks at what other resources are called by.
mock_provider "azurerm" {
  mock_resource "azurerm_subnet" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ledgers/providers/Microsoft.Network/virtualNetworks/ledgers-network/subnets/database"
    }
  }

  mock_resource "azurerm_network_security_group" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ledgers/providers/Microsoft.Network/networkSecurityGroups/ledgers-database"
    }
  }

  mock_resource "azurerm_private_dns_zone" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ledgers/providers/Microsoft.Network/privateDnsZones/ledgers-database.private.postgres.database.azure.com"
    }
  }

  mock_resource "azurerm_postgresql_flexible_server" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ledgers/providers/Microsoft.DBforPostgreSQL/flexibleServers/ledgers-database"
    }
  }
}

variables {
  name                   = "ledgers-database"
  resource_group_name    = "ledgers"
  location               = "germanywestcentral"
  subnet_prefix          = "10.64.16.0/28"
  clients                = ["10.64.0.0/20"]
  administrator_password = "correct horse battery staple"

  network = {
    id   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ledgers/providers/Microsoft.Network/virtualNetworks/ledgers-network"
    name = "ledgers-network"
  }
}

run "only_the_cluster_reaches_it_and_only_with_tls" {
  command = plan

  assert {
    condition     = azurerm_postgresql_flexible_server.this.public_network_access_enabled == false
    error_message = "the server has a public address"
  }

  assert {
    condition = one([
      for rule in azurerm_network_security_group.database.security_rule : rule.source_address_prefixes
      if rule.name == "clients" && rule.access == "Allow"
    ]) == toset(["10.64.0.0/20"])
    error_message = "others than the clients are let in"
  }

  assert {
    condition = anytrue([
      for rule in azurerm_network_security_group.database.security_rule :
      rule.access == "Deny" && rule.source_address_prefix == "VirtualNetwork" && rule.priority == 4096
    ])
    error_message = "the rest of the network is let in by the provider's own rules"
  }

  assert {
    condition     = azurerm_postgresql_flexible_server_configuration.tls.value == "ON"
    error_message = "connections without TLS are taken"
  }

  assert {
    condition     = azurerm_postgresql_flexible_server.this.high_availability[0].mode == "ZoneRedundant" && azurerm_postgresql_flexible_server.this.backup_retention_days == 14
    error_message = "a zone or a mistake takes the control plane's data along"
  }
}

run "a_small_one_without_a_standby_can_be_had" {
  command = plan

  variables {
    machine_size = "B_Standard_B2s"
    standby      = "none"
  }

  assert {
    condition     = length(azurerm_postgresql_flexible_server.this.high_availability) == 0
    error_message = "there is a standby that nobody asked for"
  }
}

run "a_name_that_makes_no_address_is_refused" {
  command = plan

  variables {
    name = "Ledgers_database"
  }

  expect_failures = [var.name]
}

run "a_subnet_too_small_is_refused" {
  command = plan

  variables {
    subnet_prefix = "10.64.16.0/29"
  }

  expect_failures = [var.subnet_prefix]
}

run "a_server_that_nobody_reaches_is_refused" {
  command = plan

  variables {
    clients = []
  }

  expect_failures = [var.clients]
}

run "a_server_for_everybody_is_refused" {
  command = plan

  variables {
    clients = ["0.0.0.0/0"]
  }

  expect_failures = [var.clients]
}

run "a_version_that_is_too_old_is_refused" {
  command = plan

  variables {
    postgresql_version = "14"
  }

  expect_failures = [var.postgresql_version]
}

run "a_size_without_a_tier_is_refused" {
  command = plan

  variables {
    machine_size = "Standard_D2ds_v5"
  }

  expect_failures = [var.machine_size]
}

run "storage_that_cannot_be_had_is_refused" {
  command = plan

  variables {
    storage_gib = 100
  }

  expect_failures = [var.storage_gib]
}

run "a_standby_nowhere_known_is_refused" {
  command = plan

  variables {
    standby = "moon"
  }

  expect_failures = [var.standby]
}

run "a_standby_of_a_size_that_has_none_is_refused" {
  command = plan

  variables {
    machine_size = "B_Standard_B2s"
  }

  expect_failures = [var.standby]
}

run "backups_for_a_day_are_refused" {
  command = plan

  variables {
    backup_days = 1
  }

  expect_failures = [var.backup_days]
}

run "a_window_that_is_never_is_refused" {
  command = plan

  variables {
    maintenance = { day = 7, hour = 2 }
  }

  expect_failures = [var.maintenance]
}

run "an_administrator_that_the_provider_keeps_is_refused" {
  command = plan

  variables {
    administrator = "azure_superuser"
  }

  expect_failures = [var.administrator]
}

run "a_password_that_can_be_guessed_is_refused" {
  command = plan

  variables {
    administrator_password = "hansa"
  }

  expect_failures = [var.administrator_password]
}

run "a_password_that_is_half_new_is_refused" {
  command = plan

  variables {
    administrator_password_version = 1.5
  }

  expect_failures = [var.administrator_password_version]
}
