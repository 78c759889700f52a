//! What ends an execution; refusals of transactions are outcomes, not errors.

use ledger_types::codec::DecodeError;
use rusqlite::ErrorCode;

/// Why the state cannot go on. None of these is a transaction's fault.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// SQLite failed for a reason outside the ledger: disk full, out of memory, I/O.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Rows differ from what this node wrote.
    #[error("table {table}: rows from key {from} to {to} were changed outside the ledger")]
    Tampered {
        /// The table's name, or its id when it is gone.
        table: String,
        /// First key of the changed bucket, hexadecimal.
        from: String,
        /// Last key.
        to: String,
    },
    /// Another connection has written to the file.
    #[error("another connection has written to the state file")]
    ForeignWrite,
    /// The stored root is not the root of the stored tree.
    #[error("the stored state root is not the root of the stored tree")]
    Root,
    /// The node's own tables hold something impossible.
    #[error("the state file is not usable: {0}")]
    Stored(&'static str),
    /// The node's own tables do not decode.
    #[error("the state file is not usable: {0}")]
    Decode(#[from] DecodeError),
    /// Blocks are executed in order.
    #[error("block {have} does not follow executed height {executed}")]
    OutOfOrder {
        /// What was given.
        have: u64,
        /// The executed height.
        executed: u64,
    },
    /// An earlier error left memory and file apart; open the state again.
    #[error("the state has failed before and must be opened again")]
    Failed,
}

impl StateError {
    /// Whether the machine is at fault and not the file: the node must stop, and building the state
    /// again would not help. Anything else says that the file is not what this node wrote.
    pub fn is_machine_failure(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::OutOfMemory
                        | ErrorCode::PermissionDenied
                        | ErrorCode::ReadOnly
                        | ErrorCode::CannotOpen
                        | ErrorCode::FileLockingProtocolFailed
                        | ErrorCode::NoLargeFileSupport
                )
            ),
            Self::Tampered { .. }
            | Self::ForeignWrite
            | Self::Root
            | Self::Stored(_)
            | Self::Decode(_)
            | Self::OutOfOrder { .. }
            | Self::Failed => false,
        }
    }
}
