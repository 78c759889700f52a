# Plans with a provider that is played: what is made is read off, and bad input is refused.

# The provider looks at what other resources are called by.
mock_provider "azurerm" {
  mock_resource "azurerm_virtual_network" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ledgers/providers/Microsoft.Network/virtualNetworks/ledgers-network"
    }
  }

  mock_resource "azurerm_subnet" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ledgers/providers/Microsoft.Network/virtualNetworks/ledgers-network/subnets/machines"
    }
  }

  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ledgers/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ledgers-cluster"
    }
  }
}

variables {
  name                = "ledgers"
  resource_group_name = "ledgers"
  location            = "germanywestcentral"
  kubernetes_version  = "1.34"
}

run "nothing_is_public_and_nothing_moves_by_itself" {
  command = plan

  assert {
    condition     = azurerm_kubernetes_cluster.this.private_cluster_enabled
    error_message = "the API server has a public address though nobody may reach it"
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.default_node_pool[0].node_public_ip_enabled == false
    error_message = "machines have public addresses"
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.automatic_upgrade_channel == null && azurerm_kubernetes_cluster.this.node_os_upgrade_channel == "None"
    error_message = "the cluster is upgraded on a day that nobody chose"
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.default_node_pool[0].node_count == 4 && length(azurerm_kubernetes_cluster.this.default_node_pool[0].zones) == 3
    error_message = "four validators do not find four machines"
  }

  assert {
    condition     = output.machines_prefix == "10.64.0.0/20" && output.databases_prefix == "10.64.16.0/20"
    error_message = "machines and databases do not have the places that the README tells"
  }
}

run "who_may_reach_a_public_api_is_said" {
  command = plan

  variables {
    api_clients = ["192.0.2.0/24"]
  }

  assert {
    condition     = !azurerm_kubernetes_cluster.this.private_cluster_enabled && azurerm_kubernetes_cluster.this.api_server_access_profile[0].authorized_ip_ranges == toset(["192.0.2.0/24"])
    error_message = "a public API server is open to others than those who were named"
  }
}

run "system_upgrades_keep_to_their_window" {
  command = plan

  variables {
    system_upgrades = "NodeImage"
    maintenance     = { day = "Saturday", time = "22:30" }
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.maintenance_window_node_os[0].day_of_week == "Saturday" && azurerm_kubernetes_cluster.this.maintenance_window_node_os[0].start_time == "22:30"
    error_message = "machines are restarted outside the window"
  }
}

run "a_name_that_makes_no_address_is_refused" {
  command = plan

  variables {
    name = "Ledgers-"
  }

  expect_failures = [var.name]
}

run "a_version_that_is_none_is_refused" {
  command = plan

  variables {
    kubernetes_version = "latest"
  }

  expect_failures = [var.kubernetes_version]
}

run "a_version_that_the_chart_cannot_use_is_refused" {
  command = plan

  variables {
    kubernetes_version = "1.33.9"
  }

  expect_failures = [var.kubernetes_version]
}

run "a_size_without_premium_storage_is_refused" {
  command = plan

  variables {
    machine_size = "Standard_D4_v5"
  }

  expect_failures = [var.machine_size]
}

run "fewer_machines_than_validators_are_refused" {
  command = plan

  variables {
    machines = 3
  }

  expect_failures = [var.machines]
}

run "a_zone_that_is_none_is_refused" {
  command = plan

  variables {
    zones = ["1", "4"]
  }

  expect_failures = [var.zones]
}

run "a_network_that_pods_have_is_refused" {
  command = plan

  variables {
    address_space = "10.244.0.0/16"
  }

  expect_failures = [var.address_space]
}

run "a_network_too_small_is_refused" {
  command = plan

  variables {
    address_space = "10.64.0.0/24"
  }

  expect_failures = [var.address_space]
}

run "an_api_for_everybody_is_refused" {
  command = plan

  variables {
    api_clients = ["0.0.0.0/0"]
  }

  expect_failures = [var.api_clients]
}

run "upgrades_of_an_unknown_kind_are_refused" {
  command = plan

  variables {
    system_upgrades = "Unmanaged"
  }

  expect_failures = [var.system_upgrades]
}

run "a_window_that_is_never_is_refused" {
  command = plan

  variables {
    maintenance = { day = "Sunday", time = "24:00" }
  }

  expect_failures = [var.maintenance]
}
