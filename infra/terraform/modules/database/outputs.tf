locals {
  host = azurerm_postgresql_flexible_server.this.fqdn
  tail = "${local.host}:5432/hansa?sslmode=verify-full"
}

output "host" {
  description = "The server's address, answered inside the network."
  value       = local.host
}

output "administrator" {
  description = "Who makes the roles and the database."
  value       = azurerm_postgresql_flexible_server.this.administrator_login
}

output "administrator_url" {
  description = "For psql, without the password, which psql asks for."
  value       = "postgres://${azurerm_postgresql_flexible_server.this.administrator_login}@${local.host}:5432/postgres?sslmode=verify-full&sslrootcert=system"
}

output "chart_database" {
  description = "What the chart wants in database."
  value = {
    url = "postgres://${local.tail}"
    users = {
      api        = "hansa_api_login"
      identity   = "hansa_identity_login"
      controller = "hansa_controller_login"
    }
  }
}

output "secret_urls" {
  description = "What the chart's Secret wants in migrate.url and vault.url, without the passwords, which go between the login and the @ after a colon."
  value = {
    migrate = "postgres://hansa_migrate_login@${local.tail}"
    vault   = "postgres://hansa_vault_login@${local.tail}"
  }
}
