//! Who is asking, for which tenant, and what they may do.
//!
//! Owns the operation context, the sealed tenant scope, the handles of things that were found, and
//! the one policy. Must not know where credentials come from, how things are stored, or any
//! transport: no async, no IO.
//!
//! Isolation is built three times. Here, a [`TenantScope`] can only be had from an [`OpContext`];
//! in the database, row level security shows a transaction only its tenant's rows; and generated
//! tests ask for foreign ids on every operation.

mod actor;
mod context;
mod handle;
mod policy;

pub use actor::Actor;
pub use context::{OpContext, SystemScope, TenantScope};
pub use handle::{ConsortiumHandle, InvitationHandle, InvitationSide, LedgerHandle, NodeHandle};
pub use policy::{Action, Subject, allows};
