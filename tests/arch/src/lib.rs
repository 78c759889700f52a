//! Nothing but tests of the project's own structure, in `tests/`.
//!
//! Owns the dependency table as data. Must not contain anything that a product crate could use.
