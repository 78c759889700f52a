//! A ledger under every fault that a seed can bring, in virtual time.
//!
//! Owns the world around production code: network, disks, clocks, clients, cheats, and what must
//! never happen. Runs the production replica, storage and state. One seed decides everything; the
//! same seed gives the same run. Must not know sockets, threads of the node, or HTTP.

mod attack;
mod batch;
mod cheat;
mod client;
mod damage;
mod faults;
mod genesis;
mod invariants;
mod luck;
mod machines;
mod mending;
mod network;
mod node;
mod plan;
mod running;
mod schedule;
mod settle;
mod world;

pub use attack::Attack;
pub use batch::run_many;
pub use faults::{Failure, Fault, Report};
pub use plan::{Cheat, Misfortune, Plan};
pub use world::{run, run_mutant};
