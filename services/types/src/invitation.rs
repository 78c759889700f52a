//! Invitations.

use hansa_core::{ConsortiumId, InvitationId, Name, Revision, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{PublicKey, Signature, word_enum};

word_enum! {
    /// What became of an invitation.
    InvitationPhase {
        /// Not answered yet.
        Pending = "pending",
        /// The tenant took the seat.
        Accepted = "accepted",
        /// The tenant does not want the seat.
        Declined = "declined",
        /// The owner took it back.
        Withdrawn = "withdrawn",
        /// Nobody answered in time.
        Expired = "expired",
    }
}

/// An offer of a seat.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The consortium that the seat is in.
    pub consortium_id: ConsortiumId,
    /// The consortium's name.
    pub consortium: Name,
    /// The tenant that is invited.
    pub tenant_id: TenantId,
    /// What became of it.
    pub phase: InvitationPhase,
    /// Changes with each change.
    pub revision: Revision,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends unanswered.
    pub expires_at: Timestamp,
    /// When it was answered or withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
}

/// A new invitation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"tenant": "beta"}))]
#[serde(deny_unknown_fields)]
pub struct InvitationCreate {
    /// The name of the tenant to invite, exactly.
    pub tenant: Name,
    /// When it ends unanswered: 7 days from now unless given, 30 days at most.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// The acceptance of an invitation, signed by the member's administrator key.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(example = json!({"administrator_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "signature": "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"}))]
#[serde(deny_unknown_fields)]
pub struct InvitationAccept {
    /// The name of the seat; the tenant's name unless given.
    #[serde(default)]
    pub member_name: Option<Name>,
    /// The member's authority over the consortium's ledgers.
    pub administrator_key: PublicKey,
    /// That key's signature over the acceptance statement.
    pub signature: Signature,
}
