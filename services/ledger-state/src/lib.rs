//! Runs a ledger's blocks: the same SQL, the same results, the same root on every node.
//!
//! Owns the SQLite file, which statements may run, who may run them, what became of each
//! transaction, and the state tree whose root covers every row and the schema. Must not know how
//! blocks are agreed on or stored, nor clocks, sockets or threads: block time comes with the block.
//!
//! The version of SQLite is part of the rules: another one may plan, count or fail differently.

mod access;
mod authorizer;
mod capture;
mod error;
mod execute;
mod functions;
mod history;
mod meter;
pub mod past;
mod pattern;
mod preupdate;
pub mod reader;
mod refusal;
mod row;
mod schema;
mod schema_change;
mod scrub;
mod sql;
mod state;
mod transaction;
mod tree;

pub use error::StateError;
pub use execute::{BlockInput, ExecutedBlock};
pub use past::{KeptHeights, PastError, PastViews};
pub use reader::{QueryError, QueryLimits, Reader, Rows};
pub use scrub::{Scrub, ScrubReport};
pub use state::{KeptBlock, Origin, State};

/// The version of SQLite that this build executes with, for example `3.51.3`.
pub fn engine_version() -> &'static str {
    rusqlite::version()
}
