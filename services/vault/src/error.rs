//! What can go wrong. No variant holds key material.

use std::{io, path::PathBuf};

use openssl::error::ErrorStack;

/// Why a root key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The file cannot be read or written.
    #[error("root key {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read it, or its group may write it.
    #[error("root key {path} has mode {mode:03o}: make it 600 (chmod 600 {path})")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds something else.
    #[error("root key {path} is not 64 hexadecimal digits")]
    Content {
        /// The file.
        path: PathBuf,
    },
}

/// Why the vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no such key, or it signs no more.
    #[error("no such key")]
    NotFound,
    /// The request is malformed.
    #[error("{0}")]
    Invalid(&'static str),
    /// The database does not answer.
    #[error("the vault's database does not answer")]
    Database(#[from] sqlx::Error),
    /// A sealed key cannot be opened: another root key, or the row was changed or moved.
    #[error("a sealed key cannot be opened: is this the right root key?")]
    Sealed,
    /// The cryptographic library refuses.
    #[error("the cryptographic library refuses")]
    Crypto(#[from] ErrorStack),
}
