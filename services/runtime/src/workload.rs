//! What is run, where it ended up, and how it does.

use hansa_core::{ConsortiumId, Generation, LedgerId, Name, NodeId, Secret, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// A node as it should run.
#[derive(Clone, Debug)]
pub struct WorkloadSpec {
    /// The node.
    pub node: NodeId,
    /// Its consortium: workloads of different ones are kept apart where the driver can.
    pub consortium: ConsortiumId,
    /// Its ledger.
    pub ledger: LedgerId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name, unique in the ledger.
    pub name: Name,
    /// Grows with each wish.
    pub generation: Generation,
    /// Whether it should run.
    pub run: bool,
    /// What it may use.
    pub size: Size,
    /// How it gets its identity.
    pub enrolment: Enrolment,
}

/// What a workload may use. A driver that shares one machine among all does not divide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Thousandths of a processor.
    pub cpu_millis: u32,
    /// Mebibytes of memory.
    pub memory_mib: u32,
    /// Gibibytes of its volume. A volume grows and never shrinks.
    pub volume_gib: u32,
}

/// Where a node without an identity asks for one.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// The control plane's address, `http://127.0.0.1:8080` or `https://…`.
    pub url: String,
    /// The one-time token; none when the node has enrolled, or keeps the token it was given.
    pub token: Option<Secret>,
}

/// What is known of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The node.
    pub node: NodeId,
    /// The generation that was wished for.
    pub generation: Generation,
    /// What it does now.
    pub state: WorkloadState,
    /// Where it is.
    pub placement: Placement,
    /// It runs from an older image than the next start would take. A newer generation brings that.
    pub outdated: bool,
    /// Times that it was started again since it last ran well.
    pub restarts: u32,
    /// What went wrong last, until it runs well again.
    pub trouble: Option<Trouble>,
}

/// What a workload does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadState {
    /// It is being started, or stopped in order to start anew.
    Starting,
    /// It runs in the wished generation.
    Running,
    /// It is being stopped.
    Stopping,
    /// It does not run, as wished.
    Stopped,
    /// It ended by itself or could not be started, and will be tried again.
    BackingOff,
}

/// Where a workload is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Where peers reach it, `host:port`.
    pub p2p_address: String,
    /// Where clients reach it, `https://host:port`.
    pub http_address: String,
    /// Where its metrics are, `http://host:port/metrics`.
    pub metrics_address: String,
    /// Its volume, in the driver's words.
    pub volume: String,
    /// What runs there now: another one after each start.
    pub instance: Option<Instance>,
}

/// A running workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instance {
    /// A process of this machine, by its id.
    Process(u32),
    /// A container of a cluster.
    Container {
        /// The namespace of its pod.
        namespace: String,
        /// The pod's name: the same after each start.
        pod: String,
        /// The machine of the cluster.
        machine: String,
        /// The container's own id.
        id: String,
    },
}

impl Instance {
    /// The process's id, if it is one of this machine.
    #[must_use]
    pub const fn process(&self) -> Option<u32> {
        match self {
            Self::Process(pid) => Some(*pid),
            Self::Container { .. } => None,
        }
    }
}

/// What went wrong with a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The kind.
    pub fault: Fault,
    /// Evidence for a person: exit status, the last lines of the log. No secrets.
    pub detail: String,
}

/// Kinds of trouble. The list is closed: each becomes a reason in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The node's program is not there or cannot be run.
    ProgramMissing,
    /// It ended by itself.
    Crashed,
    /// No free port.
    PortsExhausted,
    /// No room on the disk.
    DiskFull,
    /// It used more memory than its size allows.
    OutOfMemory,
    /// It runs and does not answer whether it is alive.
    Unresponsive,
    /// The node's image cannot be had.
    ImageMissing,
    /// No machine of the cluster has room for it.
    Unschedulable,
    /// The quota of its namespace is used up.
    QuotaExceeded,
    /// Its volume does not come.
    VolumePending,
    /// Its volume waits for the storage driver to make it larger.
    VolumeGrowing,
    /// Its namespace is being removed by somebody.
    NamespaceTerminating,
    /// The control plane lacks a right in the cluster.
    Forbidden,
    /// The cluster's rules refuse it.
    Rejected,
    /// It was moved away from its machine.
    Evicted,
    /// Somebody holds what is being ended, or its machine does not say that it has ended.
    DeletionHeld,
}

/// How many workloads of a ledger this driver must keep running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Whose the ledger is.
    pub consortium: ConsortiumId,
    /// The ledger.
    pub ledger: LedgerId,
    /// Of its nodes here: what the agreement needs, without the nodes that agree elsewhere.
    pub stay: u16,
}

/// Something of a workload that others had changed and its driver put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The node.
    pub node: NodeId,
    /// What was not as wished, in the driver's words.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

/// The volume of a workload that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainedVolume {
    /// The node that it was of.
    pub node: NodeId,
    /// Where it is, in the driver's words.
    pub volume: String,
    /// Since when.
    pub since: Timestamp,
}
