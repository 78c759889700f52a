//! Short-lived bearer tokens.

use hansa_core::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A signed bearer token (RFC 9068) for the caller, with the caller's role. It ends with the
/// session or API key that it was made from, at once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct AccessToken {
    /// Send as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessToken(redacted, until {})", self.expires_at)
    }
}
