//! What reconcilers read and write: all tenants' nodes, ledgers, consortiums and clusters,
//! with what they need to drive them.

mod cluster;
mod consortium;
mod ledger;
mod node;

pub use cluster::DrivenCluster;
pub use consortium::DrivenMember;
pub use ledger::{DrivenLedger, FoundIncident};
pub use node::{DrivenNode, NodePlacement, NodeRecord};
