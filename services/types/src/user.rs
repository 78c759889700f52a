//! Users.

use hansa_core::{Revision, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DisplayName, Email, NewPassword, Role, word_enum};

word_enum! {
    /// Whether a user can sign in.
    UserPhase {
        /// Can sign in.
        Active = "active",
        /// Cannot; open sessions ended.
        Disabled = "disabled",
    }
}

/// A person of a tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Signs in with this address, unique in the tenant.
    pub email: Email,
    /// Name for people.
    pub display_name: DisplayName,
    /// What it may do.
    pub role: Role,
    /// Whether it can sign in.
    pub phase: UserPhase,
    /// Changes with each change.
    pub revision: Revision,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<Timestamp>,
}

/// A new user.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"email": "bo@alpha.example", "display_name": "Bo", "role": "operator", "password": "correct horse battery staple"}))]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// Unique in the tenant.
    pub email: Email,
    /// Name for people.
    pub display_name: DisplayName,
    /// What it may do; `viewer` unless given.
    #[serde(default = "viewer")]
    pub role: Role,
    /// At least 15 characters.
    pub password: NewPassword,
}

const fn viewer() -> Role {
    Role::Viewer
}

/// A change of a user (merge patch): absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({"display_name": "Bo"}))]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// Name for people.
    pub display_name: Option<DisplayName>,
    /// What it may do.
    pub role: Option<Role>,
    /// `disabled` ends its sessions at once.
    pub phase: Option<UserPhase>,
    /// A new password; ends its sessions at once.
    pub password: Option<NewPassword>,
}
