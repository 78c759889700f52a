//! API keys.

use hansa_core::{ApiKeyId, Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Role;

/// A machine's long-lived credential, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// Its id, also the middle part of the key.
    pub id: ApiKeyId,
    /// Unique among the tenant's keys in force.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// A new API key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "ci", "role": "operator"}))]
#[serde(deny_unknown_fields)]
pub struct ApiKeyCreate {
    /// Unique among the tenant's keys in force.
    pub name: Name,
    /// What it may do: at most what the caller may.
    pub role: Role,
    /// When it stops working: 90 days from now unless given, 366 days at most.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A new API key with its secret, which is shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyCreated {
    /// The key without its secret.
    #[serde(flatten)]
    pub key: ApiKey,
    /// `hansa_<id>_<secret>`: send as `Authorization: Bearer …`. Not recoverable later: absent in
    /// the answer to a repeated request.
    #[schema(example = "hansa_0199…_5f0c…")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl std::fmt::Debug for ApiKeyCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeyCreated").field("key", &self.key).finish_non_exhaustive()
    }
}
