//! How validators agree on the next block.
//!
//! Owns the rules: votes, rounds, certificates, what a new leader may propose, what a restarted
//! node may say, what convicts a cheat. Must not know time (it is told), disks, sockets, threads,
//! SQL or randomness: [`Engine::handle`] takes one [`Input`] and leaves [`Command`]s for the shell
//! around it. [`Replica`] adds what a validator needs around the engine: waiting transactions,
//! batches, validation, fetching what was missed. The node and the simulator are two shells around
//! the same replica.
//!
//! The protocol is Thelma's (Abraham, Gueta, Malkhi, Martin, arXiv 1801.10022) with sequential
//! heights. One height goes: the leader proposes; validators send *prepare* votes to all; whoever
//! holds [`Quorum::certify`](ledger_types::Quorum) of them sends a *commit* vote; that many commit
//! votes decide, and so do [`Quorum::fast`](ledger_types::Quorum) prepare votes alone. A silent or
//! lying leader is replaced by a round change, in which [`choose()`] says which block, if any, the
//! new leader must propose again. Under `cft` a majority of prepare votes decides.

pub mod choose;
pub mod command;
pub mod config;
mod decide;
pub mod engine;
pub mod evidence;
pub mod input;
mod proposing;
pub mod record;
pub mod replica;
mod round_change;
pub mod rules;
mod standing;
mod votes;
mod voting;

pub use choose::{Choice, Report, choose};
pub use command::{Command, HaltReason, Timer};
pub use config::{Config, Timing};
pub use engine::Engine;
pub use evidence::Evidence;
pub use input::Input;
pub use record::{Record, Restored};
pub use replica::{Replica, ReplicaConfig};
pub use rules::Rules;
