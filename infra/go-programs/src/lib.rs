//! Programs of others that are built from Go modules: their versions are locked in this checkout,
//! and each is built once for each state of its lock.
//!
//! Owns when such a program is built, how, and where it is kept. Must not know what any of them is
//! for.

mod cache;
mod module;

pub use cache::Cache;
pub use module::Module;
