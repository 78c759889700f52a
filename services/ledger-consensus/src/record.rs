//! What must survive a crash: everything this node has said at the height in progress.

use borsh::{BorshDeserialize, BorshSerialize};
use ledger_types::{Certificate, Digest, Proposal, Timeout, ValidatorIndex, Vote};

/// One entry of the vote log.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Record {
    /// An own proposal.
    Proposal(Proposal),
    /// An own prepare vote.
    Prepare(Vote),
    /// An own commit vote with the prepare certificate that allowed it.
    Commit {
        /// The vote.
        vote: Vote,
        /// Why.
        prepared: Certificate,
    },
    /// An own round change.
    Timeout(Timeout),
}

impl Record {
    /// The height it belongs to; when that is decided, the record may go.
    pub const fn height(&self) -> u64 {
        match self {
            Self::Proposal(proposal) => proposal.header.height,
            Self::Prepare(vote) | Self::Commit { vote, .. } => vote.height,
            Self::Timeout(timeout) => timeout.height,
        }
    }
}

/// What a node knows of itself when it starts.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The height to decide next.
    pub height: u64,
    /// Digest of the block before; the genesis digest at height 1.
    pub parent: Digest,
    /// Proposer of the block before; validator 0 at height 1.
    pub last_proposer: ValidatorIndex,
    /// The decision of the block before, if there is one.
    pub decision: Option<Certificate>,
    /// The vote log's records of this height and later ones, in order.
    pub records: Vec<Record>,
    /// Whether the vote log is whole. A node that lost it stays silent until the heights in which
    /// it may have voted are decided.
    pub log_intact: bool,
}

impl Restored {
    /// A node that has never run.
    pub fn fresh(genesis: Digest) -> Self {
        Self {
            height: 1,
            parent: genesis,
            last_proposer: ValidatorIndex(0),
            decision: None,
            records: Vec::new(),
            log_intact: true,
        }
    }
}
