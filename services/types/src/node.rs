//! Ledger nodes.

use hansa_core::{
    ConsortiumId, Generation, LedgerId, MemberId, Name, NodeId, Revision, TenantId, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{NodeHealth, OperationReason, word_enum};

/// The runtime that is no cluster: processes of the machine that runs the controller.
pub const PROCESS: &str = "process";

word_enum! {
    /// What a node should be doing.
    RunState {
        /// It should run.
        Running = "running",
        /// It should not.
        Stopped = "stopped",
        /// It should be gone.
        Deleted = "deleted",
    }
}

word_enum! {
    /// What a node is doing.
    NodePhase {
        /// Recorded; no controller has acted yet.
        Pending = "pending",
        /// Its workload is being made.
        Provisioning = "provisioning",
        /// It is running and has no genesis yet.
        Enrolled = "enrolled",
        /// It takes part in its ledger.
        Running = "running",
        /// It is stopped, as asked.
        Stopped = "stopped",
        /// It does not run and should; `reason` says why.
        Failed = "failed",
        /// It is being ended.
        Deleting = "deleting",
        /// It is gone.
        Deleted = "deleted",
    }
}

word_enum! {
    /// What a node in a cluster may use: processors are requested and may be exceeded while nobody else
    /// needs them, memory is reserved and never exceeded.
    NodeSize {
        /// A quarter of a processor, 1 GiB of memory.
        Small = "small",
        /// One processor, 4 GiB of memory.
        Medium = "medium",
        /// Four processors, 16 GiB of memory.
        Large = "large",
    }
}

/// What was last heard of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeObservation {
    /// Last committed height.
    pub height: u64,
    /// State root at `root_height`, hexadecimal.
    pub root: String,
    /// Height that the root is of.
    pub root_height: u64,
    /// Other nodes that it is connected to.
    pub peers: u32,
    /// Whether it takes part in votes.
    #[serde(default = "yes")]
    pub may_vote: bool,
    /// Whether it reaches enough others for an agreement.
    #[serde(default = "yes")]
    pub quorum_reachable: bool,
    /// When this was heard.
    pub at: Timestamp,
    /// When it was last asked in vain, if it has not answered since `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_at: Option<Timestamp>,
}

/// Observations of before these were asked for.
const fn yes() -> bool {
    true
}

/// What only the node's own member sees.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NodePrivate {
    /// Where it runs: `process`, or a cluster's name.
    pub runtime: Name,
    /// What went wrong, in the words of whoever saw it: the cluster's event, last lines of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it may use; absent for a process, which shares its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<NodeSize>,
    /// Gibibytes of its volume, as asked; absent for a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_gib: Option<u32>,
    /// The process's id, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The namespace of its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its pod, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The machine of the cluster that the pod is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The folder of its data, or `namespace/claim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
    /// Address of its metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_address: Option<String>,
}

/// One ledger node. Co-members see everything but `private`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Its id, the same inside the chain.
    pub id: NodeId,
    /// The consortium.
    pub consortium_id: ConsortiumId,
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The seat that it belongs to.
    pub member_id: MemberId,
    /// The tenant that it belongs to.
    pub tenant_id: TenantId,
    /// Its name, unique in the ledger.
    pub name: Name,
    /// What it should be doing.
    pub desired: RunState,
    /// What it is doing.
    pub phase: NodePhase,
    /// Why it failed; of one that has not, what troubles it or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<OperationReason>,
    /// Where its peers reach it, `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p2p_address: Option<String>,
    /// Where clients reach it, `https://host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_address: Option<String>,
    /// What was last heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<NodeObservation>,
    /// How it stands to the others; absent before its ledger has a genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<NodeHealth>,
    /// What only its own member sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<NodePrivate>,
    /// Grows with each change of what should be.
    pub generation: Generation,
    /// The generation that the controller has seen.
    pub observed_generation: Generation,
    /// Changes with each change.
    pub revision: Revision,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new node of the caller's member.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "one", "runtime": "process"}))]
#[serde(deny_unknown_fields)]
pub struct NodeCreate {
    /// Unique in the ledger.
    pub name: Name,
    /// Where it runs: `process`, or a cluster's name.
    #[serde(default = "process")]
    pub runtime: Name,
    /// What it may use in its cluster; `small` without it. Not for a process.
    #[serde(default)]
    pub size: Option<NodeSize>,
    /// Gibibytes of its volume in its cluster; 10 without it. Not for a process.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 4096)]
    pub volume_gib: Option<u32>,
}

/// Another size for a node in a cluster; what is left out stays. Its pod starts anew, in its turn.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"size": "medium", "volume_gib": 20}))]
#[serde(deny_unknown_fields)]
pub struct NodeResize {
    /// What it may use from now on.
    #[serde(default)]
    pub size: Option<NodeSize>,
    /// Gibibytes of its volume, which grows and never shrinks.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 4096)]
    pub volume_gib: Option<u32>,
}

fn process() -> Name {
    PROCESS.parse().expect("a name")
}
