//! The client side of a ledger: key files, signing, and checking what nodes answer.
//!
//! Owns what an application needs to hold its own authority: keys that never leave it,
//! transactions it signs itself, receipts it verifies without trusting any node. Must not know how
//! nodes agree, execute or store, nor that a control plane exists.

#[cfg(feature = "http")]
pub mod answer;
#[cfg(feature = "http")]
pub mod events;
pub mod key_file;
#[cfg(feature = "http")]
pub mod node;
pub mod signer;

pub use key_file::{KeyFileError, create_key_file, read_key_file, read_or_create_key_file};
#[cfg(feature = "http")]
pub use node::{NodeClient, NodeError};
pub use signer::Signer;
