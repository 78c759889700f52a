//! How the control plane reaches what it depends on: its vault and the nodes of its ledgers.
//!
//! Owns a trait for each and its HTTP implementation, with bounds on time and size. Must not know
//! what the answers are good for.

mod body;
mod node;
mod vault;

pub use node::{HttpNodes, IntegrityState, NodeIncident, NodeStatus, Nodes};
pub use vault::{HttpVault, Vault};
