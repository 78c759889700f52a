//! A private PostgreSQL cluster made from the installed binaries: for `hansa dev` and for tests.
//!
//! Owns the cluster's folder, its server process and its login roles. Must not know any table:
//! what is inside the databases is the business of those who migrate them. Production does not use
//! this crate, it is given a URL.
//!
//! The server listens on a unix socket inside the folder and on no port, and everybody logs in with
//! a password: the rights of the roles hold on a developer's machine as they do in production.

mod binaries;
mod cluster;
mod error;
mod owner;
mod password;
mod testing;

pub use cluster::{Cluster, ClusterConfig, Durability, Ensured, Installation, Login};
pub use error::ClusterError;
pub use testing::{TestCluster, TestDatabase};
