//! The driver contract: what the control plane asks of a place where ledger nodes run.
//!
//! Owns the words of that conversation (a workload, its placement, its trouble), the fake that
//! tests use, and the suite that every driver passes. Must not know any driver, the database, or
//! what a ledger is for: a driver gets a specification and makes it so.

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
mod fake;
mod node_config;
mod workload;

#[cfg(feature = "testing")]
pub use fake::FakeRuntime;
pub use node_config::{EnrolmentConfig, Listens, NodeConfig};
pub use workload::{
    Correction, Enrolment, Fault, Instance, Placement, Quorum, RetainedVolume, Size, Trouble,
    Workload, WorkloadSpec, WorkloadState,
};

use std::fmt::Debug;

use async_trait::async_trait;
use hansa_core::{NodeId, Timestamp};

/// Lines of a log that can be asked for at once.
pub const LOG_LINES_MAX: u16 = 1_000;

/// Why a driver did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// It can succeed later without anybody's help.
    #[error("the runtime cannot do this now: {0}")]
    Transient(String),
    /// Somebody else owns or changed what this is about.
    #[error("the runtime found something that is not ours: {0}")]
    Conflict(String),
    /// The place where nodes run does not answer. Nodes that run there go on.
    #[error("the runtime does not answer: {0}")]
    Unreachable(String),
    /// The place where nodes run refuses this until somebody changes something.
    #[error("the runtime refuses this: {detail}")]
    Refused {
        /// Why.
        fault: Fault,
        /// In its own words.
        detail: String,
    },
    /// It can never succeed as asked.
    #[error("the runtime refuses this: {0}")]
    Invalid(String),
    /// This driver does not do such things.
    #[error("the runtime does not support this: {0}")]
    Unsupported(&'static str),
}

/// A place where nodes run.
///
/// Every call is idempotent: the reconciler repeats it after a crash, and two controllers may call
/// at the same time. A call returns when the wish is recorded, not when it has come true: what is
/// true is told by [`Runtime::observe`] and [`Runtime::list`].
#[async_trait]
pub trait Runtime: Debug + Send + Sync {
    /// Wishes that the workload is as `spec` says. A generation that is older than the recorded one
    /// changes nothing; a newer one restarts a workload that runs.
    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), RuntimeError>;

    /// What is known of one workload; nothing when there is none.
    async fn observe(&self, node: NodeId) -> Result<Option<Workload>, RuntimeError>;

    /// What is known of all workloads of this driver.
    async fn list(&self) -> Result<Vec<Workload>, RuntimeError>;

    /// Ends a workload. Its volume is kept apart until [`Runtime::purge`].
    async fn remove(&self, node: NodeId) -> Result<(), RuntimeError>;

    /// Tells how many nodes of a ledger must stay when machines are emptied.
    async fn keep(&self, quorum: &Quorum) -> Result<(), RuntimeError>;

    /// What was put right of what others had changed, oldest first. Each is told once; of very many
    /// the oldest are forgotten. A driver whose workloads nobody else can change has none.
    fn corrections(&self) -> Vec<Correction> {
        Vec::new()
    }

    /// The last `lines` lines of its log, at most [`LOG_LINES_MAX`].
    async fn logs(&self, node: NodeId, lines: u16) -> Result<String, RuntimeError>;

    /// Volumes of workloads that were removed.
    async fn retained(&self) -> Result<Vec<RetainedVolume>, RuntimeError>;

    /// Destroys volumes that were retained before a time, and what is left of consortiums that have
    /// neither workloads nor volumes; how many volumes.
    async fn purge(&self, before: Timestamp) -> Result<u32, RuntimeError>;
}
