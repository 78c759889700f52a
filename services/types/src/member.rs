//! Members.

use hansa_core::{ConsortiumId, MemberId, Name, Revision, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{PublicKey, word_enum};

word_enum! {
    /// Whether a seat is taken.
    MemberPhase {
        /// It is.
        Active = "active",
        /// The tenant left or was removed.
        Removed = "removed",
    }
}

/// A tenant's seat in a consortium.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// The consortium.
    pub consortium_id: ConsortiumId,
    /// The tenant that holds the seat.
    pub tenant_id: TenantId,
    /// Its name in the consortium and in ledgers' genesis.
    pub name: Name,
    /// Its authority over the consortium's ledgers.
    pub administrator_key: PublicKey,
    /// Whether it is taken.
    pub phase: MemberPhase,
    /// Changes with each change.
    pub revision: Revision,
    /// When it was taken.
    pub joined_at: Timestamp,
}
