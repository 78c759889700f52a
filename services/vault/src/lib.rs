//! The vault: the private keys that the control plane acts with, and nobody else ever holds.
//!
//! Owns its schema, the root key, sealing, the authorities of ledgers' certificates and the keys of
//! access tokens. It signs by key id and never hands a private key out. Must not know tenants,
//! consortiums or any rule of the product; it shares no table with the other services.

mod error;
mod http;
mod kept;
mod key;
mod root_key;
mod seal;
mod vault;
mod x509;

pub use error::{RootKeyError, VaultError};
pub use http::{router, serve};
pub use root_key::RootKey;
pub use vault::{Vault, VaultConfig};
