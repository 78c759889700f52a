//! Named bounds of what a ledger accepts. Consensus-critical: all nodes must agree on them.

/// Validators of one ledger.
pub const VALIDATORS_MAX: usize = 64;
/// Members of one ledger.
pub const MEMBERS_MAX: usize = 64;
/// Bytes of one encoded transaction, signature included.
pub const TRANSACTION_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one value, and of one row, while statements run: what functions make of short parameters
/// must not fill a node's memory. The longer the values, the fewer steps a transaction has.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of the rows that one transaction changes, each change counted anew.
pub const CHANGED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Statements of one transaction.
pub const STATEMENTS_MAX: usize = 256;
/// Bytes of one statement's text.
pub const STATEMENT_BYTES_MAX: usize = 64 * 1024;
/// Parameters of one statement.
pub const PARAMETERS_MAX: usize = 1_000;
/// Access changes of one transaction.
pub const ACCESS_CHANGES_MAX: usize = 1_000;
/// Bytes of a governance record.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Transactions of one sealed batch.
pub const BATCH_TRANSACTIONS_MAX: usize = 4_096;
/// Bytes of one sealed batch.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Batches of one block.
pub const BLOCK_BATCHES_MAX: usize = 1_024;
/// Transactions of one block.
pub const BLOCK_TRANSACTIONS_MAX: usize = 8_192;
/// Bytes of one block's transactions.
pub const BLOCK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of one peer-to-peer frame.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest validity window of a transaction, and how long ids are remembered, in milliseconds.
pub const VALIDITY_MS_MAX: u64 = 10 * 60 * 1000;
/// How far a block's time may be ahead of a validator's clock, in milliseconds.
pub const CLOCK_DRIFT_MS_MAX: u64 = 5_000;
/// Bytes of a name or address in a genesis.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of a CA certificate in PEM.
pub const CA_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an error's detail in an outcome.
pub const DETAIL_BYTES_MAX: usize = 512;
