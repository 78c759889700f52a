//! The control plane's SQL, all of it.
//!
//! Owns the tables of `migrations/`, what is one transaction, and how a database error becomes one
//! of ours. Must not know what the product decides: methods here read and write what they are told.
//!
//! [`TenantTx`] and [`SystemTx`] are the only ways to a connection. A `TenantTx` takes its tenant
//! from a sealed scope and leaves the rest to row level security: a forgotten `WHERE` shows nothing
//! of others. The methods of both are spread over one file a noun.

mod api_key;
mod approval;
mod audit;
mod cluster;
mod consortium;
mod driven;
mod enrolment;
mod error;
mod event;
mod idempotency;
mod incident;
mod invitation;
mod ledger;
mod member;
mod migrate;
mod node;
mod node_log;
mod notify;
mod operation;
mod row;
mod session;
mod store;
mod tenant;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod user;

pub use api_key::{ApiKeyCredential, NewApiKey};
pub use approval::{Approval, NodeEndorsement};
pub use audit::{AuditChainError, AuditEntry, audit_verify};
pub use cluster::NewCluster;
pub use consortium::NewConsortium;
pub use driven::{
    DrivenCluster, DrivenLedger, DrivenMember, DrivenNode, FoundIncident, NodePlacement, NodeRecord,
};
pub use enrolment::{EnrolmentToken, NewEnrolmentToken, NodeIdentity};
pub use event::{EventPosition, NewEvent};
pub use idempotency::{Claim, RequestHash};
pub use invitation::NewInvitation;
pub use ledger::NewLedger;
pub use member::NewMember;
pub use migrate::{MigrateError, OWNER_ROLE, ROLES_SQL, migrate};
pub use node::NewNode;
pub use node_log::{LogAnswer, NewLogRequest, OpenLogRequest};
pub use operation::{Lease, LeasedOperation, NewOperation};
pub use session::{NewSession, SessionCredential};
pub use store::{PoolUse, Pools, Store};
pub use tenant::NewTenant;
pub use tx::{SystemTx, TenantTx};
pub use user::{NewUser, SignIn, UserChanges};
