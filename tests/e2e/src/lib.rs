//! Tests of the whole product from outside: its programs, its public interfaces, real faults.
//!
//! Owns the promises that only the whole can keep: a dead node, a dead control plane, two
//! installations side by side, README's lines. Must not know the control plane's crates: it sees
//! what users see. The tests are in `tests/`; `cargo xtask test e2e` builds the programs first.

pub mod command;
pub mod patience;
pub mod product;
pub mod runner;
