//! Who is calling.

use hansa_core::{ApiKeyId, Name, TenantId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DisplayName, Email, Role};

/// The caller: a person or a machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Caller {
    /// A person.
    User {
        /// Its id.
        id: UserId,
        /// Its address.
        email: Email,
        /// Its name.
        display_name: DisplayName,
    },
    /// A machine.
    ApiKey {
        /// Its id.
        id: ApiKeyId,
        /// Its name.
        name: Name,
    },
}

/// Who is calling, for whom, and what it may do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The caller.
    pub caller: Caller,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its tenant's name.
    pub tenant: Name,
    /// What it may do.
    pub role: Role,
}
