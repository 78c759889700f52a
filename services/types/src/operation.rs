//! Operations: the progress of something long.

use hansa_core::{ConsortiumId, LedgerId, NodeId, OperationId, Revision, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::word_enum;

word_enum! {
    /// What an operation does.
    OperationKind {
        /// Makes a node's workload.
        NodeCreate = "node_create",
        /// Starts a node.
        NodeStart = "node_start",
        /// Stops a node.
        NodeStop = "node_stop",
        /// Stops and starts a node.
        NodeRestart = "node_restart",
        /// Gives a node another size.
        NodeResize = "node_resize",
        /// Ends a node.
        NodeDelete = "node_delete",
        /// Composes the genesis and brings a ledger to its first block.
        LedgerLaunch = "ledger_launch",
        /// Ends a ledger's nodes.
        LedgerDelete = "ledger_delete",
        /// Ends a consortium's nodes and ledgers.
        ConsortiumDelete = "consortium_delete",
    }
}

impl OperationKind {
    /// The steps that it goes through, in order.
    #[must_use]
    pub const fn steps(self) -> &'static [&'static str] {
        match self {
            Self::NodeCreate => &["provision", "enrol"],
            Self::NodeStart => &["start"],
            Self::NodeStop => &["stop"],
            Self::NodeRestart => &["stop", "start"],
            Self::NodeResize => &["resize"],
            Self::NodeDelete => &["stop", "remove"],
            Self::LedgerLaunch => {
                &["enrol_nodes", "collect_signatures", "publish_genesis", "first_block"]
            }
            Self::LedgerDelete | Self::ConsortiumDelete => {
                &["stop_nodes", "remove_nodes", "retain_volumes"]
            }
        }
    }
}

word_enum! {
    /// Where an operation is.
    OperationState {
        /// Recorded; no controller has acted yet.
        Pending = "pending",
        /// A controller works on it.
        Running = "running",
        /// Done.
        Succeeded = "succeeded",
        /// Not done; `reason` says why.
        Failed = "failed",
        /// Ended by request.
        Cancelled = "cancelled",
    }
}

impl OperationState {
    /// Whether it will not change any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }
}

word_enum! {
    /// Why an operation or a node failed. The list is closed; each has a next action.
    OperationReason {
        /// It did not finish before its deadline.
        DeadlineExceeded = "deadline_exceeded",
        /// The controller took it up too many times without success.
        AttemptsExhausted = "attempts_exhausted",
        /// The node's program could not be started.
        ProgramMissing = "program_missing",
        /// The node ended by itself soon after its start.
        NodeCrashed = "node_crashed",
        /// No free port was found for the node.
        PortsExhausted = "ports_exhausted",
        /// The disk is full.
        DiskFull = "disk_full",
        /// It used more memory than its size allows.
        OutOfMemory = "out_of_memory",
        /// It runs and does not answer whether it is alive.
        Unresponsive = "unresponsive",
        /// The cluster cannot get the node's image.
        ImageMissing = "image_missing",
        /// No machine of the cluster has room for the node.
        Unschedulable = "unschedulable",
        /// The quota of the node's namespace is used up.
        QuotaExceeded = "quota_exceeded",
        /// The node's volume does not come.
        VolumePending = "volume_pending",
        /// The volume waits for the storage driver to make it larger.
        VolumeGrowing = "volume_growing",
        /// The node's namespace is being removed by somebody.
        NamespaceTerminating = "namespace_terminating",
        /// The control plane lacks a right in the cluster.
        ClusterForbidden = "cluster_forbidden",
        /// The cluster's rules refuse the node.
        ClusterRejected = "cluster_rejected",
        /// The cluster moved the node away from its machine.
        Evicted = "evicted",
        /// Something in the cluster holds what is being ended.
        DeletionHeld = "deletion_held",
        /// The cluster does not answer.
        ClusterUnreachable = "cluster_unreachable",
        /// The others of its ledger cannot do without the node while it restarts.
        QuorumMargin = "quorum_margin",
        /// No controller runs nodes of this kind.
        RuntimeMissing = "runtime_missing",
        /// Something in the cluster has the name and is not ours.
        ClusterConflict = "cluster_conflict",
        /// The node's token had expired or was used before.
        EnrolmentRefused = "enrolment_refused",
        /// A member has not signed.
        SignatureMissing = "signature_missing",
        /// The vault does not answer or is sealed.
        VaultUnavailable = "vault_unavailable",
        /// The nodes did not agree on a first block.
        NoAgreement = "no_agreement",
        /// The ledger's nodes run in several places, and some are not reached from the others.
        PeersUnreachable = "peers_unreachable",
        /// Somebody ended it.
        Cancelled = "cancelled",
        /// A fault of ours.
        Internal = "internal",
    }
}

word_enum! {
    /// What the user can do about a failure.
    NextAction {
        /// Start the same operation again.
        Retry = "retry",
        /// Look at the node's log.
        ReadLogs = "read_logs",
        /// Make room on the disk, then start again.
        FreeDisk = "free_disk",
        /// Ask the members that have not signed to do so.
        CollectSignatures = "collect_signatures",
        /// Bring back the ledger's other nodes that take no part.
        MendOthers = "mend_others",
        /// Ask whoever runs the installation.
        ContactOperator = "contact_operator",
        /// Nothing.
        None = "none",
    }
}

impl OperationReason {
    /// What the user can do about it.
    #[must_use]
    pub const fn next_action(self) -> NextAction {
        match self {
            Self::DeadlineExceeded | Self::EnrolmentRefused => NextAction::Retry,
            Self::NodeCrashed | Self::NoAgreement | Self::OutOfMemory | Self::Unresponsive => {
                NextAction::ReadLogs
            }
            Self::DiskFull => NextAction::FreeDisk,
            Self::SignatureMissing => NextAction::CollectSignatures,
            Self::AttemptsExhausted
            | Self::ProgramMissing
            | Self::PortsExhausted
            | Self::ImageMissing
            | Self::Unschedulable
            | Self::QuotaExceeded
            | Self::VolumePending
            | Self::VolumeGrowing
            | Self::NamespaceTerminating
            | Self::ClusterForbidden
            | Self::ClusterRejected
            | Self::Evicted
            | Self::DeletionHeld
            | Self::ClusterUnreachable
            | Self::ClusterConflict
            | Self::RuntimeMissing
            | Self::PeersUnreachable
            | Self::VaultUnavailable
            | Self::Internal => NextAction::ContactOperator,
            Self::QuorumMargin => NextAction::MendOthers,
            Self::Cancelled => NextAction::None,
        }
    }
}

word_enum! {
    /// Where a step is.
    StepState {
        /// Not begun.
        Pending = "pending",
        /// Being worked on.
        Running = "running",
        /// Done.
        Succeeded = "succeeded",
        /// Not done.
        Failed = "failed",
    }
}

/// One step of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationStep {
    /// What it does, one of the kind's steps.
    #[schema(example = "provision")]
    pub name: String,
    /// Where it is.
    pub state: StepState,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// The consortium.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consortium_id: Option<ConsortiumId>,
    /// The ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_id: Option<LedgerId>,
    /// The node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
}

/// The progress of something long. `failed` always has a `reason`, and a reason a `next_action`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// What it is about.
    pub target: Target,
    /// Where it is.
    pub state: OperationState,
    /// Its steps, in order.
    pub steps: Vec<OperationStep>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<OperationReason>,
    /// What the user can do about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,
    /// Somebody asked to end it.
    pub cancel_requested: bool,
    /// When it fails by itself.
    pub deadline_at: Timestamp,
    /// Changes with each change.
    pub revision: Revision,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}
