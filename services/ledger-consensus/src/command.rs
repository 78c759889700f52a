//! What the engine asks of the shell, in this order.

use ledger_types::{BatchRef, BlockHeader, Certificate, ConsensusMessage, Digest, ValidatorIndex};

use crate::{evidence::Evidence, record::Record};

/// A timer of one height; the engine ignores those of heights gone by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The round has taken too long.
    Round {
        /// Height.
        height: u64,
        /// Round.
        round: u32,
    },
    /// Own messages may have been lost.
    Resend {
        /// Height.
        height: u64,
    },
}

/// One effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Append to the vote log and sync it, then answer [`Input::Saved`](crate::Input::Saved).
    /// What the record allows to say is sent after the answer, never before.
    Save {
        /// What to keep until its height is decided.
        record: Box<Record>,
        /// For the answer.
        token: u64,
    },
    /// To one peer.
    Send {
        /// The peer.
        to: ValidatorIndex,
        /// What.
        message: ConsensusMessage,
    },
    /// To all peers.
    Broadcast(ConsensusMessage),
    /// Wake the engine at a time, Unix milliseconds. Timers never need cancelling.
    SetTimer {
        /// Which.
        timer: Timer,
        /// When.
        at_ms: u64,
    },
    /// This node leads: answer [`Input::Built`](crate::Input::Built) when there is a block to
    /// propose. An idle ledger may leave it unanswered.
    Build {
        /// Height.
        height: u64,
        /// Round.
        round: u32,
        /// The header's parent.
        parent: Digest,
    },
    /// Check a proposed block and answer [`Input::Validated`](crate::Input::Validated).
    Validate {
        /// The header.
        header: BlockHeader,
        /// Where its transactions are.
        batches: Vec<BatchRef>,
    },
    /// Find a block of this height by digest, at all peers, and answer
    /// [`Input::Proposed`](crate::Input::Proposed).
    FetchProposed {
        /// The height in progress.
        height: u64,
        /// The block.
        block: Digest,
    },
    /// The height is decided: store, execute. The engine has gone on to the next height.
    Decide {
        /// The decided header.
        header: BlockHeader,
        /// Where its transactions are.
        batches: Vec<BatchRef>,
        /// Why it is decided.
        certificate: Certificate,
    },
    /// Peers have decided this height or a later one: fetch blocks from the height in progress.
    CatchUp {
        /// A height that some peer claims to have decided.
        decided: u64,
    },
    /// Somebody cheated, provably.
    Report(Box<Evidence>),
    /// Stop: going on could break agreement.
    Halt(HaltReason),
}

/// Why an engine stops for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HaltReason {
    /// A certified block does not follow the one this node holds.
    #[error("height {height}: a certified block has another parent than the block decided here")]
    Fork {
        /// The height.
        height: u64,
    },
    /// Under `cft` one lie is one too many.
    #[error(
        "height {height}: validator {validator} said two things, and this policy tolerates none"
    )]
    Fraud {
        /// The height.
        height: u64,
        /// Who.
        validator: ValidatorIndex,
    },
}
