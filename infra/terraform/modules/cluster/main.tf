# A managed Kubernetes for ledgers: machines of one size over the zones of one region, without public
# addresses, and nothing that replaces them on a day that nobody chose.

resource "azurerm_user_assigned_identity" "cluster" {
  name                = "${var.name}-cluster"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

# The cluster attaches machines and load balancers to the subnet that it did not make.
resource "azurerm_role_assignment" "machines" {
  scope                = azurerm_subnet.machines.id
  role_definition_name = "Network Contributor"
  principal_id         = azurerm_user_assigned_identity.cluster.principal_id
}

resource "azurerm_kubernetes_cluster" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  dns_prefix          = var.name
  tags                = var.tags

  # With an availability promised for the API server.
  sku_tier           = "Standard"
  kubernetes_version = var.kubernetes_version
  # automatic_upgrade_channel is not set: a new version comes by kubernetes_version alone.
  node_os_upgrade_channel = var.system_upgrades

  private_cluster_enabled = length(var.api_clients) == 0
  # Would be a way into the cluster that no network guards.
  run_command_enabled = false

  default_node_pool {
    name                        = "machines"
    temporary_name_for_rotation = "rotation"
    vm_size                     = var.machine_size
    node_count                  = var.machines
    auto_scaling_enabled        = false
    zones                       = var.zones
    vnet_subnet_id              = azurerm_subnet.machines.id
    node_public_ip_enabled      = false
    orchestrator_version        = var.kubernetes_version
    tags                        = var.tags

    # One machine at a time, and only after its pods have left: their disruption budgets keep quorums.
    upgrade_settings {
      max_surge                     = "1"
      drain_timeout_in_minutes      = 60
      node_soak_duration_in_minutes = 5
    }
  }

  # No machines beside these, of sizes that somebody else chooses.
  node_provisioning_profile {
    mode               = "Manual"
    default_node_pools = "None"
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    # Each consortium's namespace stands on network policies. Rules by address must hold for pods of
    # the cluster too, which is so with calico and not with cilium.
    network_policy    = "calico"
    load_balancer_sku = "standard"
    pod_cidr          = "10.244.0.0/16"
    service_cidr      = "10.96.0.0/16"
    dns_service_ip    = "10.96.0.10"
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.cluster.id]
  }

  dynamic "api_server_access_profile" {
    for_each = length(var.api_clients) == 0 ? [] : [var.api_clients]

    content {
      authorized_ip_ranges = api_server_access_profile.value
    }
  }

  dynamic "maintenance_window_node_os" {
    for_each = var.system_upgrades == "None" ? [] : [var.maintenance]

    content {
      frequency   = "Weekly"
      interval    = 1
      duration    = 4
      day_of_week = maintenance_window_node_os.value.day
      start_time  = maintenance_window_node_os.value.time
      utc_offset  = "+00:00"
    }
  }

  lifecycle {
    # The volumes of ledgers end with it. Whoever means that takes this line away first.
    prevent_destroy = true
  }

  depends_on = [azurerm_role_assignment.machines]
}
