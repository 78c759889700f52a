//! What a node keeps outside SQLite: decided blocks in append-only segments, and its own votes.
//!
//! Owns file formats, checksums, what may be dropped after a crash and what is corruption, and the
//! decision how to recover. Must not know sockets, clocks, threads, SQL, or how votes are counted:
//! vote records are bytes with a height.
//!
//! Everything goes through the small [`Disk`] trait, so that a simulated disk can lose, tear and
//! corrupt exactly what a real one may.

pub mod block_log;
pub mod disk;
mod frame;
pub mod mark;
pub mod recovery;
pub mod scrub;
mod segment;
mod segment_index;
pub mod simulated_disk;
pub mod vote_log;

pub use block_log::{BlockLog, BlockLogOptions, Corruption, StorageError};
pub use disk::{Disk, FileDisk};
pub use mark::{Mark, is_trustworthy};
pub use recovery::{Found, Plan, RebuildReason, StatePlan, recover};
pub use scrub::Scrubber;
pub use simulated_disk::{Faults, SimulatedDisk};
pub use vote_log::{VoteLog, VoteLogState};
