//! What the commit thread finds out about this node's files.

use ledger_types::Executed;

/// Something is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A segment or its index.
    Block {
        /// Below the folder of blocks.
        file: String,
        /// The first height known to be concerned.
        height: Option<u64>,
        /// In words.
        detail: String,
        /// The original, when it had to be put aside at once.
        kept: Option<String>,
    },
    /// The state; its file has been put aside and is being built again.
    State {
        /// The table, when it is known.
        table: Option<String>,
        /// The height that the file was at.
        height: u64,
        /// In words.
        detail: String,
        /// The original's name.
        kept: Option<String>,
    },
}

/// Something is right again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Repaired {
    /// A segment or its index.
    Block {
        /// Which.
        file: String,
        /// The corrupt original's name, when there was something to keep.
        kept: Option<String>,
    },
    /// Everything: it was read again, and nothing is wrong (any more).
    All {
        /// Where the state is.
        executed: Executed,
    },
    /// The state: built from the blocks, each root as certified, and at the last block.
    State {
        /// Where it is now.
        executed: Executed,
    },
}
