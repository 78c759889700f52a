//! The vault's interface: HTTP on a unix socket that only its own user can reach.

use std::{io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path as PathParameter, State},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use hansa_core::{LedgerId, Uuid, limits};
use hansa_types::vault::{
    Authority, Certificate, CertificateRequest, Kept, SecretText, SignRequest, Signed, VaultKeyList,
};
use http::StatusCode;
use tokio::net::UnixListener;

use crate::{error::VaultError, vault::Vault};

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 2 * limits::KUBECONFIG_BYTES_MAX + 1024;

/// The vault's routes.
pub fn router(vault: Arc<Vault>) -> Router {
    Router::new()
        .route("/v1/ready", get(ready))
        .route("/v1/jwt-keys", get(jwt_keys))
        .route("/v1/jwt-keys/{key_id}/signatures", post(jwt_sign))
        .route("/v1/ledgers/{ledger_id}/authority", put(authority))
        .route("/v1/certificates", post(issue))
        .route("/v1/secrets/{id}", put(secret_put).get(secret_get).delete(secret_delete))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(vault)
}

/// Answers on a socket at `path` until `shutdown`. Whoever can open the socket is the control
/// plane: its folder must be closed to others, and the socket itself is made with mode 0600.
///
/// # Errors
/// When the socket cannot be made.
pub async fn serve(
    vault: Arc<Vault>,
    path: &Path,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // A socket file that was left behind would refuse the name. Two vaults on one path are no
    // danger: both hold the same keys, and the later one answers.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    axum::serve(listener, router(vault)).with_graceful_shutdown(shutdown).await
}

type Answer<T> = Result<Json<T>, VaultError>;

async fn ready(State(vault): State<Arc<Vault>>) -> Result<StatusCode, VaultError> {
    vault.ready().await.map(|()| StatusCode::NO_CONTENT)
}

async fn jwt_keys(State(vault): State<Arc<Vault>>) -> Answer<VaultKeyList> {
    vault.jwt_keys().await.map(Json)
}

async fn jwt_sign(
    State(vault): State<Arc<Vault>>,
    PathParameter(id): PathParameter<String>,
    Json(request): Json<SignRequest>,
) -> Answer<Signed> {
    let message = hex::decode(&request.message)
        .map_err(|_| VaultError::Invalid("the message is not hexadecimal"))?;
    vault.jwt_sign(&id, &message).await.map(Json)
}

async fn authority(
    State(vault): State<Arc<Vault>>,
    PathParameter(ledger): PathParameter<LedgerId>,
) -> Answer<Authority> {
    vault.authority(ledger).await.map(Json)
}

async fn issue(
    State(vault): State<Arc<Vault>>,
    Json(request): Json<CertificateRequest>,
) -> Answer<Certificate> {
    vault.issue(&request).await.map(Json)
}

async fn secret_put(
    State(vault): State<Arc<Vault>>,
    PathParameter(id): PathParameter<Uuid>,
    Json(kept): Json<Kept>,
) -> Result<StatusCode, VaultError> {
    let secret = kept.secret.read();
    let secret = secret.ok_or(VaultError::Invalid("the secret is not hexadecimal"))?;
    vault.secret_put(id, &secret).await.map(|()| StatusCode::NO_CONTENT)
}

async fn secret_get(
    State(vault): State<Arc<Vault>>,
    PathParameter(id): PathParameter<Uuid>,
) -> Answer<Kept> {
    let secret = vault.secret_get(id).await?;
    Ok(Json(Kept { secret: SecretText::new(&secret) }))
}

async fn secret_delete(
    State(vault): State<Arc<Vault>>,
    PathParameter(id): PathParameter<Uuid>,
) -> Result<StatusCode, VaultError> {
    vault.secret_delete(id).await.map(|()| StatusCode::NO_CONTENT)
}

impl IntoResponse for VaultError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Database(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Sealed | Self::Crypto(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            let cause = std::error::Error::source(&self).map(ToString::to_string);
            tracing::error!(error = %self, cause, "the vault failed");
        }
        (status, Json(serde_json::json!({ "detail": self.to_string() }))).into_response()
    }
}
