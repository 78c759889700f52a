//! The chart: what it renders and refuses, and what it installs.
//!
//! Owns how an installation is made as docs/howto/install-with-helm.md says: a database with TLS on
//! this machine, secrets, a release, people who sign in. Must not know the control plane's crates; the
//! program that installs PostgreSQL is the exception. The tests are in `tests/`.

mod authority;
mod database;
mod installation;

pub use installation::{Installation, PLATFORM};
