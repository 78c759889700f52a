# A subnet that nothing else is in, reached from the cluster and from nowhere else.

resource "azurerm_subnet" "database" {
  name                 = "${var.name}-database"
  resource_group_name  = var.resource_group_name
  virtual_network_name = var.network.name
  address_prefixes     = [var.subnet_prefix]

  delegation {
    name = "postgresql"

    service_delegation {
      name    = "Microsoft.DBforPostgreSQL/flexibleServers"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_network_security_group" "database" {
  name                = "${var.name}-database"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  security_rule {
    name                       = "clients"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefixes    = var.clients
    source_port_range          = "*"
    destination_address_prefix = var.subnet_prefix
    destination_port_range     = "5432"
  }

  # The standby follows the server by this port and by a second one.
  security_rule {
    name                       = "standby"
    priority                   = 110
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = var.subnet_prefix
    source_port_range          = "*"
    destination_address_prefix = var.subnet_prefix
    destination_port_ranges    = ["5432", "6432"]
  }

  # The provider's own rules let the whole network in, and come after this.
  security_rule {
    name                       = "nobody-else"
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "VirtualNetwork"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "database" {
  subnet_id                 = azurerm_subnet.database.id
  network_security_group_id = azurerm_network_security_group.database.id
}

# The server's address is answered inside the network only.
resource "azurerm_private_dns_zone" "database" {
  name                = "${var.name}.private.postgres.database.azure.com"
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "database" {
  name                = var.name
  private_dns_zone_id = azurerm_private_dns_zone.database.id
  virtual_network_id  = var.network.id
  tags                = var.tags
}
