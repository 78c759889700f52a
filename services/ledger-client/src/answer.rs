//! What nodes answer.

use std::fmt;

use ledger_types::{BlockHeader, Certificate, Digest, LedgerId, Outcome, Policy, Receipt, Value};
use serde::{Deserialize, Serialize};

/// What a submission waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The node has taken it.
    None,
    /// Its place in the order is final.
    Committed,
    /// The node has its result.
    Executed,
    /// A certified header covers its result.
    Certified,
}

impl Wait {
    /// The word of the interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Committed => "committed",
            Self::Executed => "executed",
            Self::Certified => "certified",
        }
    }
}

/// How far a transaction has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// Waits to be ordered.
    Accepted,
    /// In a decided block.
    Committed {
        /// The block.
        height: u64,
    },
    /// Has its outcome.
    Executed {
        /// The block.
        height: u64,
        /// What became of it.
        outcome: Outcome,
    },
}

/// What became of one submitted transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Its id.
    pub transaction: Digest,
    /// How far it has come.
    #[serde(flatten)]
    pub progress: Progress,
}

#[derive(Deserialize)]
pub(crate) struct SubmittedAll {
    pub(crate) items: Vec<Submitted>,
}

/// A query's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values in order of the columns.
    pub rows: Vec<Vec<Value>>,
    /// The executed height that the answer is of.
    pub height: u64,
    /// Whether rows were left out because of a limit.
    pub truncated: bool,
}

/// A block without its transactions' bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockView {
    /// What the validators signed.
    pub header: BlockHeader,
    /// Its digest.
    pub digest: Digest,
    /// The transactions' ids in order.
    pub transactions: Vec<Digest>,
    /// The decision.
    pub certificate: Certificate,
}

/// What a node knows of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptState {
    /// It is in no block that this node has executed.
    Unknown,
    /// It is in a block whose results no certified header states yet.
    NotCertified,
    /// The proof of what became of it; verify it against the genesis.
    Certified(Box<Receipt>),
}

/// How a node stands. What newer nodes say in addition is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The ledger.
    pub ledger: LedgerId,
    /// The node's index among the validators.
    pub node: u16,
    /// Last decided height.
    pub height: u64,
    /// Last executed height.
    pub executed_height: u64,
    /// Its execution root.
    pub execution_root: Digest,
    /// How the validators agree.
    pub policy: Policy,
    /// How many there are.
    pub validators: usize,
    /// Whether the node votes.
    pub may_vote: bool,
    /// Whether enough validators are connected to decide anything.
    pub quorum_reachable: bool,
    /// Indices of connected peers.
    pub peers_connected: Vec<u16>,
    /// The heights that a query may ask for, where the node says so.
    #[serde(default)]
    pub kept_heights: Option<KeptHeights>,
}

/// The heights that a query may ask for, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptHeights {
    /// The oldest.
    pub from: u64,
    /// The executed height.
    pub to: u64,
}

/// A node's refusal (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeProblem {
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for programs.
    pub code: String,
    /// What went wrong, for people.
    pub detail: String,
}

impl fmt::Display for NodeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}
