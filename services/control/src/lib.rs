//! What the product does: every rule about tenants, credentials, consortiums, ledgers, nodes.
//!
//! Owns the methods behind the API, one file a noun, each taking an [`OpContext`]: it asks the
//! policy, records the intent, acts in one transaction, records the outcome. Must not know HTTP,
//! SQL or Kubernetes. What takes long is only asked for here: a method writes what should be and an
//! operation, in one transaction, and reconcilers do the rest.

mod access_token;
mod act;
mod api_key;
mod approval;
mod audit_event;
mod block;
mod cluster;
mod consortium;
mod control_plane;
mod denial;
mod enrolment;
mod event;
mod fleet;
mod health;
mod identity;
mod incident;
mod invitation;
mod jwt;
mod ledger;
mod member;
mod node;
mod node_log;
mod operation;
mod password;
pub mod plan;
mod reconcile;
mod session;
mod signature;
mod tenant;
#[cfg(feature = "testing")]
pub mod testing;
mod user;
mod vault_keys;
mod waiters;

pub use act::Repeat;
pub use control_plane::{Config, ControlPlane, PageQuery};
pub use event::{EventStream, Sent};
pub use fleet::{ClusterSpec, Clusters, Connection, Fleet, NoClusters, Probe};
pub use hansa_authz::OpContext;
pub use identity::{Authenticated, Credential, CredentialId};
pub use jwt::{JwtKey, JwtKeySet, JwtKeys};
pub use reconcile::{Controller, ControllerConfig, HeldOperations};
pub use session::SignedIn;
pub use tenant::PlatformCreated;
pub use vault_keys::VaultJwtKeys;
