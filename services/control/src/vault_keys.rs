//! The keys of access tokens, held by the vault.

use std::sync::Arc;

use async_trait::async_trait;
use hansa_clients::Vault;
use hansa_core::Result;

use crate::jwt::{JwtKey, JwtKeySet, JwtKeys};

/// Access tokens are signed by the vault: their private keys are nowhere else.
#[derive(Debug)]
pub struct VaultJwtKeys(Arc<dyn Vault>);

impl VaultJwtKeys {
    /// With this vault.
    #[must_use]
    pub fn new(vault: Arc<dyn Vault>) -> Self {
        Self(vault)
    }
}

#[async_trait]
impl JwtKeys for VaultJwtKeys {
    async fn list(&self) -> Result<JwtKeySet> {
        let found = self.0.jwt_keys().await?;
        let keys = found.keys.into_iter();
        let keys = keys.map(|key| JwtKey { id: key.id, public_key: *key.public_key.bytes() });
        Ok(JwtKeySet { signing: found.signing, keys: keys.collect() })
    }

    async fn sign(&self, key_id: &str, message: &[u8]) -> Result<[u8; 64]> {
        self.0.jwt_sign(key_id, message).await.map(|signature| *signature.bytes())
    }
}
