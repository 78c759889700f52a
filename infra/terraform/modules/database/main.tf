# A managed PostgreSQL for the control plane. The roles and the database in it are made by hand, once:
# the README tells how, and no password of a service comes near the state.

resource "azurerm_postgresql_flexible_server" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  version             = var.postgresql_version
  sku_name            = var.machine_size
  storage_mb          = var.storage_gib * 1024
  auto_grow_enabled   = true
  tags                = var.tags

  administrator_login               = var.administrator
  administrator_password_wo         = var.administrator_password
  administrator_password_wo_version = var.administrator_password_version

  public_network_access_enabled = false
  delegated_subnet_id           = azurerm_subnet.database.id
  private_dns_zone_id           = azurerm_private_dns_zone.database.id

  backup_retention_days        = var.backup_days
  geo_redundant_backup_enabled = var.backups_in_other_region

  authentication {
    password_auth_enabled         = true
    active_directory_auth_enabled = false
  }

  dynamic "high_availability" {
    for_each = var.standby == "none" ? [] : [var.standby]

    content {
      mode = high_availability.value == "other_zone" ? "ZoneRedundant" : "SameZone"
    }
  }

  maintenance_window {
    day_of_week  = var.maintenance.day
    start_hour   = var.maintenance.hour
    start_minute = 0
  }

  lifecycle {
    # Its backups end with it. Whoever means that takes this line away first.
    prevent_destroy = true
    # Both change places when the standby takes over; nobody shall put them back.
    ignore_changes = [zone, high_availability[0].standby_availability_zone]
  }

  depends_on = [
    azurerm_private_dns_zone_virtual_network_link.database,
    azurerm_subnet_network_security_group_association.database,
  ]
}

# As new servers have it; said so that nobody takes it away unseen.
resource "azurerm_postgresql_flexible_server_configuration" "tls" {
  server_id = azurerm_postgresql_flexible_server.this.id
  name      = "require_secure_transport"
  value     = "ON"
}

resource "azurerm_postgresql_flexible_server_configuration" "tls_version" {
  server_id = azurerm_postgresql_flexible_server.this.id
  name      = "ssl_min_protocol_version"
  value     = "TLSv1.3"

  # The server takes one change at a time.
  depends_on = [azurerm_postgresql_flexible_server_configuration.tls]
}
