//! The vault.

use std::{fmt::Debug, path::Path, time::Duration};

use async_trait::async_trait;
use hansa_core::{Error, LedgerId, Result, Rule, Secret, Uuid, limits};
use hansa_types::{
    Signature,
    vault::{
        Authority, Certificate, CertificateRequest, Kept, SecretText, SignRequest, Signed,
        VaultKeyList,
    },
};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use crate::body;

/// How long the vault may take.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of its answers.
const ANSWER_BYTES_MAX: usize = 2 * limits::KUBECONFIG_BYTES_MAX + 1024;

/// What the control plane asks of its vault. Private keys never leave it.
#[async_trait]
pub trait Vault: Debug + Send + Sync {
    /// Whether it answers and is open.
    async fn ready(&self) -> Result<()>;

    /// The keys of access tokens in force.
    async fn jwt_keys(&self) -> Result<VaultKeyList>;

    /// Signs with the signing key of access tokens.
    async fn jwt_sign(&self, key_id: &str, message: &[u8]) -> Result<Signature>;

    /// A ledger's certificate authority, made when there is none.
    async fn authority(&self, ledger: LedgerId) -> Result<Authority>;

    /// Issues a node's certificate.
    async fn issue(&self, request: &CertificateRequest) -> Result<Certificate>;

    /// Keeps a secret of the control plane's, in place of the one that was there.
    async fn secret_put(&self, id: Uuid, secret: &Secret) -> Result<()>;

    /// A secret that is kept.
    async fn secret_get(&self, id: Uuid) -> Result<Secret>;

    /// Keeps a secret no more; one that is not kept is no error.
    async fn secret_delete(&self, id: Uuid) -> Result<()>;
}

/// The vault behind its unix socket.
#[derive(Debug)]
pub struct HttpVault {
    client: Client,
}

impl HttpVault {
    /// The vault that listens on `socket`, now or later.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(socket: &Path) -> Result<Self> {
        let client = Client::builder()
            .unix_socket(socket)
            .timeout(TIME_MAX)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client })
    }

    async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
        let answer = Self::accepted(request).await?;
        body::json(answer, ANSWER_BYTES_MAX).await
    }

    /// Something that has no answer but that it was done.
    async fn told(request: RequestBuilder) -> Result<()> {
        Self::accepted(request).await.map(drop)
    }

    async fn accepted(request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.map_err(Error::unavailable)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        #[derive(Deserialize)]
        struct Refused {
            detail: String,
        }
        let refused: Refused = body::json(answer, ANSWER_BYTES_MAX).await?;
        Err(match status {
            // The vault's words about a certificate request are meant for whoever made it.
            StatusCode::UNPROCESSABLE_ENTITY => {
                Error::invalid("/request", Rule::Format, refused.detail)
            }
            status if status.is_server_error() => {
                Error::unavailable(format!("the vault answers {status}: {}", refused.detail))
            }
            status => Error::internal(format!("the vault answers {status}: {}", refused.detail)),
        })
    }

    fn url(path: &str) -> String {
        // The host is not used: the socket is the address.
        format!("http://vault{path}")
    }
}

#[async_trait]
impl Vault for HttpVault {
    async fn ready(&self) -> Result<()> {
        let asked = self.client.get(Self::url("/v1/ready")).send().await;
        let answer = asked.map_err(Error::unavailable)?;
        answer.error_for_status().map(drop).map_err(Error::unavailable)
    }

    async fn jwt_keys(&self) -> Result<VaultKeyList> {
        Self::ask(self.client.get(Self::url("/v1/jwt-keys"))).await
    }

    async fn jwt_sign(&self, key_id: &str, message: &[u8]) -> Result<Signature> {
        let request = SignRequest { message: hex::encode(message) };
        let url = Self::url(&format!("/v1/jwt-keys/{key_id}/signatures"));
        let signed: Signed = Self::ask(self.client.post(url).json(&request)).await?;
        Ok(signed.signature)
    }

    async fn authority(&self, ledger: LedgerId) -> Result<Authority> {
        Self::ask(self.client.put(Self::url(&format!("/v1/ledgers/{ledger}/authority")))).await
    }

    async fn issue(&self, request: &CertificateRequest) -> Result<Certificate> {
        Self::ask(self.client.post(Self::url("/v1/certificates")).json(request)).await
    }

    async fn secret_put(&self, id: Uuid, secret: &Secret) -> Result<()> {
        let kept = Kept { secret: SecretText::new(secret) };
        Self::told(self.client.put(Self::url(&format!("/v1/secrets/{id}"))).json(&kept)).await
    }

    async fn secret_get(&self, id: Uuid) -> Result<Secret> {
        let url = Self::url(&format!("/v1/secrets/{id}"));
        let kept: Kept = Self::ask(self.client.get(url)).await?;
        kept.secret.read().ok_or_else(|| Error::internal("the vault's secret is not hexadecimal"))
    }

    async fn secret_delete(&self, id: Uuid) -> Result<()> {
        Self::told(self.client.delete(Self::url(&format!("/v1/secrets/{id}")))).await
    }
}
