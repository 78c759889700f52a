//! What the shell tells the engine.

use ledger_types::{BatchRef, BlockHeader, Certificate, ConsensusMessage, Digest, ValidatorIndex};

use crate::command::Timer;

/// One event. The engine checks every signature itself and trusts nothing else in a message.
#[derive(Clone, Debug)]
pub enum Input {
    /// From an authenticated connection.
    Message {
        /// The peer that sent it, which need not be its author.
        from: ValidatorIndex,
        /// The message.
        message: ConsensusMessage,
    },
    /// A peer's height in progress, from its signed head. Needed before the first vote after a
    /// start, see [`Engine::new`](crate::Engine::new); harmless later.
    PeerHeight {
        /// The peer.
        peer: ValidatorIndex,
        /// The height it is deciding.
        in_progress: u64,
        /// The highest height at which it has heard this node speak.
        heard_me: u64,
        /// The highest certificate that it holds. Of where the peer is only this counts as proven.
        proof: Option<Certificate>,
    },
    /// A timer that was set.
    Timer(Timer),
    /// The record of [`Command::Save`](crate::Command::Save) is on disk.
    Saved {
        /// Which.
        token: u64,
    },
    /// Something waits to be ordered at this height: an idle leader is excused, a silent one is
    /// not.
    Work,
    /// The block that [`Command::Build`](crate::Command::Build) asked for.
    Built {
        /// As asked.
        height: u64,
        /// As asked.
        round: u32,
        /// The new header.
        header: BlockHeader,
        /// Where its transactions are.
        batches: Vec<BatchRef>,
    },
    /// The answer to [`Command::Validate`](crate::Command::Validate).
    Validated {
        /// The block.
        block: Digest,
        /// Whether this node may vote for it: whole, well formed, and stating this node's own
        /// execution root.
        valid: bool,
    },
    /// A block's header and batches, from a peer or from disk.
    Proposed {
        /// The header.
        header: BlockHeader,
        /// Where its transactions are.
        batches: Vec<BatchRef>,
    },
    /// A decided block that the shell fetched and stored.
    Synced {
        /// The header of the height in progress.
        header: BlockHeader,
        /// Its decision.
        certificate: Certificate,
    },
}
