//! How the nodes of a ledger stand to one another, and what that means for the ledger.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::word_enum;

word_enum! {
    /// How a node stands to the others of its ledger, from what was last heard of all.
    NodeHealth {
        /// It takes part, and its state root is the others'.
        Agreeing = "agreeing",
        /// It takes part, and is some blocks behind.
        CatchingUp = "catching_up",
        /// It answers and does not vote: it checks or repairs what it holds.
        NotVoting = "not_voting",
        /// It answers and reaches too few others for an agreement.
        Isolated = "isolated",
        /// At the same height its state root is another than most others'.
        Diverged = "diverged",
        /// It should run and does not answer.
        Unreachable = "unreachable",
        /// It is stopped, as asked.
        Stopped = "stopped",
    }
}

word_enum! {
    /// Whether the nodes of a ledger can agree.
    LedgerState {
        /// All nodes take part.
        Agreeing = "agreeing",
        /// Enough nodes take part; not all.
        Degraded = "degraded",
        /// Too few nodes take part: nothing is committed until they come back.
        Halted = "halted",
        /// No node has been heard of lately, so nothing is known.
        Unknown = "unknown",
    }
}

word_enum! {
    /// Why not all nodes of a ledger take part; the gravest when there are several.
    HealthReason {
        /// At the same height, a node's state root is another than the others'.
        NodesDiverged = "nodes_diverged",
        /// Nodes that should run do not answer.
        NodesUnreachable = "nodes_unreachable",
        /// Nodes do not vote: they check or repair what they hold.
        NodesNotVoting = "nodes_not_voting",
        /// Nodes answer and do not reach one another.
        NodesIsolated = "nodes_isolated",
        /// Nodes are stopped, as asked, or ended.
        NodesStopped = "nodes_stopped",
        /// No node has been heard of lately.
        NotObserved = "not_observed",
    }
}

/// How a ledger does, from what was last heard of its nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerHealth {
    /// Whether its nodes can agree.
    pub state: LedgerState,
    /// Why not all take part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<HealthReason>,
    /// The same in words, with the names of the nodes that are missing.
    pub detail: String,
    /// Validators of the genesis.
    pub nodes: u32,
    /// Those that take part.
    pub participating: u32,
    /// How many must take part for a block to be decided.
    pub needed: u32,
    /// The highest committed height that was heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
}
