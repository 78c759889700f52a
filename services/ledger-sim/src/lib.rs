//! A ledger under every fault that a seed can bring, in virtual time.
//!
//! Owns the world around production code: network, disks, clocks, clients, cheats, and what must
//! never happen. Runs the production replica, storage and state. One seed decides everything; the
//! same seed gives the same run. Must not know sockets, threads of the node, or HTTP.

mod batch;
mod cheat;
mod client;
mod invariants;
mod luck;
mod node;
mod plan;
mod world;

pub use batch::run_many;
pub use plan::{Cheat, Plan};
pub use world::{Failure, Report, run, run_mutant};
