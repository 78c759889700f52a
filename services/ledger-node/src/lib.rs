//! The node process around a replica: threads, disks, sockets.
//!
//! Owns how a node lives: its folder, its keys, its connections to peers and clients. Must not
//! decide anything that the ledger's crates decide: it carries events in and effects out. Knows
//! nothing of the control plane.
//!
//! Four threads, each owning its data: *net* (sockets and the replica, one current-thread runtime),
//! *verify* (client signatures in batches), *votes* (the vote log), *commit* (segments and SQLite). A
//! fifth, *watch*, only tells how they do.

pub mod api;
mod block_keeper;
pub mod boot;
mod commit;
pub mod config;
mod distrusted;
mod enrol;
mod events;
mod finding;
pub mod incident;
pub mod localnet;
mod members;
mod metrics;
mod net;
mod patrol;
mod peers;
pub mod probe;
mod shares;
mod state_keeper;
mod tls;
mod verify;
mod votes;
mod waiters;
mod watch;

pub use config::NodeConfig;
pub use net::run;
