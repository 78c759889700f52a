output "name" {
  description = "The cluster's name."
  value       = azurerm_kubernetes_cluster.this.name
}

output "kubeconfig" {
  description = "For whoever administers the cluster: it holds its credentials itself, so hansa cluster register takes it."
  value       = azurerm_kubernetes_cluster.this.kube_config_raw
  sensitive   = true
}

output "network" {
  description = "The private network, as the module database wants it."
  value = {
    id   = azurerm_virtual_network.this.id
    name = azurerm_virtual_network.this.name
  }
}

output "machines_prefix" {
  description = "Where the machines are. Whatever pods send out of the cluster comes from here."
  value       = cidrsubnet(var.address_space, 4, 0)
}

output "databases_prefix" {
  description = "Addresses that are kept free for databases."
  value       = cidrsubnet(var.address_space, 4, 1)
}
