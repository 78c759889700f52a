//! Nothing but tests of `charts/hansa`, in `tests/`.
//!
//! Owns the rendered forms that were reviewed. Must not contain anything that a product crate could
//! use, nor know what the roles do with their files.
