//! Console sessions.

use hansa_core::{Name, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Email, Password};

/// A sign-in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"tenant": "alpha", "email": "ana@alpha.example", "password": "correct horse battery staple"}))]
#[serde(deny_unknown_fields)]
pub struct SessionCreate {
    /// The tenant's name.
    pub tenant: Name,
    /// The user's address.
    pub email: Email,
    /// The user's password.
    pub password: Password,
}

/// A session. Its secret travels only in the `__Host-hansa_session` cookie.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}
