//! Container images without an engine: files in, an OCI archive out.
//!
//! Owns the archive's form (OCI image specification 1.1, image layout) and that the same files give
//! the same bytes: entries sorted, times and owners fixed, no name in the compression. Must not
//! know what is in an image; [`shared_libraries`] says what a program needs beside itself.

mod archive;
mod layer;
mod libraries;

pub use archive::{Config, Described, Image, Written, describe};
pub use layer::{Entry, Layer};
pub use libraries::{Library, shared_libraries};
