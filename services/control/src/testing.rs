//! Keys of access tokens in memory, for tests.

use std::sync::Mutex;

use async_trait::async_trait;
use hansa_core::{Error, Result};
use openssl::{
    pkey::{PKey, Private},
    sign::Signer,
};

use crate::jwt::{JwtKey, JwtKeySet, JwtKeys};

/// One key that signs, made when this is made; it can be exchanged.
#[derive(Debug)]
pub struct MemoryJwtKeys(Mutex<(u32, PKey<Private>)>);

impl MemoryJwtKeys {
    /// With a new key.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new((1, new_key())))
    }

    /// Exchanges the key: tokens of the former are accepted no longer than keys are kept.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn rotate(&self) {
        let mut held = self.0.lock().expect("no holder panics");
        *held = (held.0 + 1, new_key());
    }
}

impl Default for MemoryJwtKeys {
    fn default() -> Self {
        Self::new()
    }
}

fn new_key() -> PKey<Private> {
    PKey::generate_ed25519().expect("randomness is there in tests")
}

#[async_trait]
impl JwtKeys for MemoryJwtKeys {
    async fn list(&self) -> Result<JwtKeySet> {
        let held = self.0.lock().expect("no holder panics");
        let raw = held.1.raw_public_key().map_err(Error::internal)?;
        let public_key = raw.try_into().map_err(|_| Error::internal("a key of another length"))?;
        let id = format!("test-{}", held.0);
        Ok(JwtKeySet { signing: id.clone(), keys: vec![JwtKey { id, public_key }] })
    }

    async fn sign(&self, key_id: &str, message: &[u8]) -> Result<[u8; 64]> {
        let held = self.0.lock().expect("no holder panics");
        if key_id != format!("test-{}", held.0) {
            return Err(Error::internal("this key is not in force"));
        }
        let mut signer = Signer::new_without_digest(&held.1).map_err(Error::internal)?;
        let signature = signer.sign_oneshot_to_vec(message).map_err(Error::internal)?;
        signature.try_into().map_err(|_| Error::internal("a signature of another length"))
    }
}
