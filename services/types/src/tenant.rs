//! Tenants.

use hansa_core::{Name, Revision, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DisplayName, UserCreate, word_enum};

word_enum! {
    /// Whether a tenant is a customer or runs the installation.
    TenantKind {
        /// Runs the installation; there is exactly one.
        Platform = "platform",
        /// A customer organisation.
        Customer = "customer",
    }
}

word_enum! {
    /// Whether a tenant's credentials work.
    TenantPhase {
        /// They do.
        Active = "active",
        /// They do not; nodes keep running.
        Suspended = "suspended",
        /// It is gone; its name is free again.
        Deleted = "deleted",
    }
}

/// A customer organisation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name, unique in the installation; other tenants invite it by this name.
    pub name: Name,
    /// Its title for people.
    pub display_name: DisplayName,
    /// Customer or platform.
    pub kind: TenantKind,
    /// Whether its credentials work.
    pub phase: TenantPhase,
    /// Changes with each change.
    pub revision: Revision,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new tenant with its first administrator.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "delta", "display_name": "Delta", "administrator": {"email": "bo@alpha.example", "display_name": "Bo", "role": "operator", "password": "correct horse battery staple"}}))]
#[serde(deny_unknown_fields)]
pub struct TenantCreate {
    /// Unique in the installation.
    pub name: Name,
    /// Title for people.
    pub display_name: DisplayName,
    /// Its first user, who gets the role `tenant_admin` whatever is asked.
    pub administrator: UserCreate,
}
