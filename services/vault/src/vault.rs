//! What the vault does.

use std::{sync::Arc, time::Duration};

use hansa_core::{Clock, LedgerId, Secret, Uuid, limits};
use hansa_types::{
    PublicKey,
    vault::{Authority, Certificate, CertificateRequest, Signed, VaultKey, VaultKeyList},
};
use openssl::{sign::Signer, x509::X509};
use sqlx::{PgPool, postgres::PgConnectOptions, postgres::PgPoolOptions};

use crate::{
    error::VaultError,
    kept,
    key::{self, Kind, NewKey},
    root_key::RootKey,
    x509,
};

/// Connections to the vault's database.
const CONNECTIONS_MAX: u32 = 4;
/// Bytes of a message to be signed.
const MESSAGE_BYTES_MAX: usize = limits::ACCESS_TOKEN_BYTES_MAX;
/// How long a retired key is still listed: its last token has ended by then.
const RETIRED_LISTED: Duration =
    Duration::from_secs(limits::ACCESS_TOKEN_LIFE.as_secs() + limits::JWT_KEYS_KEPT.as_secs() + 60);

/// What a vault is made of.
#[derive(Debug)]
pub struct VaultConfig {
    /// The database, as a member of `hansa_vault`.
    pub database: PgConnectOptions,
    /// What everything is sealed under.
    pub root: RootKey,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The vault.
#[derive(Debug)]
pub struct Vault {
    pool: PgPool,
    root: RootKey,
    clock: Arc<dyn Clock>,
}

impl Vault {
    /// Prepares the vault; connections are made when they are needed.
    #[must_use]
    pub fn new(config: VaultConfig) -> Self {
        let VaultConfig { database, root, clock } = config;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(limits::DATABASE_ACQUIRE_TIME_MAX)
            .connect_lazy_with(database.application_name("hansa-vault"));
        Self { pool, root, clock }
    }

    /// Whether the database answers and what is in it opens.
    ///
    /// # Errors
    /// [`VaultError::Database`], [`VaultError::Sealed`].
    pub async fn ready(&self) -> Result<(), VaultError> {
        let keys = self.access_token_rows().await?;
        keys.first().map(|key| key.open(&self.root)).transpose().map(drop)
    }

    /// The keys of access tokens in force; the first is made when there is none.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn jwt_keys(&self) -> Result<VaultKeyList, VaultError> {
        let mut rows = self.access_token_rows().await?;
        if rows.first().is_none_or(|key| key.retired_at.is_some()) {
            let new = NewKey::make(&self.root, Kind::AccessToken, None)?;
            new.row.insert(&self.pool, self.clock.now()).await?;
            rows = self.access_token_rows().await?;
        }
        let signing = rows.first().ok_or(VaultError::NotFound)?.id.to_string();
        let key = |row: &key::KeyRow| VaultKey {
            id: row.id.to_string(),
            public_key: PublicKey::from(row.public_key),
        };
        Ok(VaultKeyList { signing, keys: rows.iter().map(key).collect() })
    }

    /// Signs with the signing key of access tokens.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] when `id` is not that key, [`VaultError::Sealed`].
    pub async fn jwt_sign(&self, id: &str, message: &[u8]) -> Result<Signed, VaultError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(VaultError::Invalid("the message is too long"));
        }
        let rows = self.access_token_rows().await?;
        let signing = rows.first().filter(|key| key.retired_at.is_none());
        let key = signing.filter(|key| key.id.to_string() == id).ok_or(VaultError::NotFound)?;
        let private = key.open(&self.root)?;
        let signature = Signer::new_without_digest(&private)?.sign_oneshot_to_vec(message)?;
        let signature: [u8; 64] = signature.try_into().map_err(|_| VaultError::Sealed)?;
        Ok(Signed { signature: signature.into() })
    }

    /// Exchanges the signing key of access tokens; the former is listed until its tokens have ended.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn jwt_rotate(&self) -> Result<VaultKeyList, VaultError> {
        key::retire(&self.pool, self.clock.now()).await?;
        self.jwt_keys().await
    }

    /// A ledger's authority; it is made when there is none.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn authority(&self, ledger: LedgerId) -> Result<Authority, VaultError> {
        let row = match key::authority(&self.pool, ledger).await? {
            Some(row) => row,
            None => {
                let mut new = NewKey::make(&self.root, Kind::LedgerAuthority, Some(ledger))?;
                new.row.certificate = Some(pem(&x509::authority(ledger, &new.private)?)?);
                new.row.insert(&self.pool, self.clock.now()).await?;
                // Another request may have been first: what is stored is the authority.
                key::authority(&self.pool, ledger).await?.ok_or(VaultError::NotFound)?
            }
        };
        Ok(Authority { certificate: row.certificate.ok_or(VaultError::Sealed)? })
    }

    /// Issues a node's certificate.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] when the ledger has no authority, [`VaultError::Invalid`] for a
    /// request that does not prove its key.
    pub async fn issue(&self, request: &CertificateRequest) -> Result<Certificate, VaultError> {
        let row = key::authority(&self.pool, request.ledger).await?.ok_or(VaultError::NotFound)?;
        let certificate = row.certificate.as_deref().ok_or(VaultError::Sealed)?;
        let authority = X509::from_pem(certificate.as_bytes())?;
        let issued = x509::node(&authority, &row.open(&self.root)?, request)?;
        tracing::info!(ledger.id = %request.ledger, node.id = %request.node, "certificate issued");
        Ok(Certificate { certificate: pem(&issued)? })
    }

    /// Keeps a secret of the control plane's, in place of the one that was there.
    ///
    /// # Errors
    /// [`VaultError::Database`], [`VaultError::Invalid`] for one that is too long.
    pub async fn secret_put(&self, id: Uuid, secret: &Secret) -> Result<(), VaultError> {
        if secret.expose().len() > limits::KUBECONFIG_BYTES_MAX {
            return Err(VaultError::Invalid("the secret is too long"));
        }
        kept::put(&self.pool, &self.root, id, secret, self.clock.now()).await
    }

    /// A secret that is kept.
    ///
    /// # Errors
    /// [`VaultError::NotFound`], [`VaultError::Sealed`], [`VaultError::Database`].
    pub async fn secret_get(&self, id: Uuid) -> Result<Secret, VaultError> {
        kept::get(&self.pool, &self.root, id).await
    }

    /// Keeps a secret no more; one that is not kept is no error.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn secret_delete(&self, id: Uuid) -> Result<(), VaultError> {
        kept::delete(&self.pool, id).await
    }

    async fn access_token_rows(&self) -> Result<Vec<key::KeyRow>, VaultError> {
        key::access_tokens(&self.pool, self.clock.now() - RETIRED_LISTED).await
    }
}

fn pem(certificate: &X509) -> Result<String, VaultError> {
    String::from_utf8(certificate.to_pem()?).map_err(|_| VaultError::Sealed)
}
