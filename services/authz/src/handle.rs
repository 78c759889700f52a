//! Handles: proof that something was found within a scope, with what the policy asks about it.
//!
//! A handle names an object and never widens a right: the transaction's tenant comes from the
//! actor, so a handle that leaked to another tenant matches no row there.

use hansa_core::{ConsortiumId, InvitationId, LedgerId, MemberId, NodeId};
use hansa_types::Relation;

use crate::{context::TenantScope, policy::Subject};

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($field: $type,)+ }

        impl $name {
            /// For whoever found it within `_scope`.
            #[must_use]
            pub const fn found(_scope: &TenantScope, $($field: $type),+) -> Self {
                Self { $($field),+ }
            }

            $($(#[$fdoc])* #[must_use] pub const fn $field(&self) -> $type { self.$field })+
        }
    };
}

handle! {
    /// A consortium that the caller's tenant sees.
    ConsortiumHandle {
        /// Its id.
        id: ConsortiumId,
        /// How the caller's tenant stands to it.
        relation: Relation,
        /// The caller's own seat, if it has one.
        seat: Option<MemberId>,
    }
}

handle! {
    /// A ledger that the caller's tenant sees.
    LedgerHandle {
        /// Its id.
        id: LedgerId,
        /// Its consortium.
        consortium: ConsortiumId,
        /// How the caller's tenant stands to the consortium.
        relation: Relation,
        /// The caller's own seat, if it has one.
        seat: Option<MemberId>,
    }
}

handle! {
    /// A node that the caller's tenant sees.
    NodeHandle {
        /// Its id.
        id: NodeId,
        /// Its ledger.
        ledger: LedgerId,
        /// Its consortium.
        consortium: ConsortiumId,
        /// Whether it belongs to the caller's own member.
        own: bool,
    }
}

/// Which side of an invitation the caller's tenant is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvitationSide {
    /// It invited.
    Owner,
    /// It is invited.
    Invitee,
    /// It has a seat in the same consortium.
    Member,
}

handle! {
    /// An invitation that the caller's tenant sees.
    InvitationHandle {
        /// Its id.
        id: InvitationId,
        /// Its consortium.
        consortium: ConsortiumId,
        /// Which side the caller's tenant is on.
        side: InvitationSide,
    }
}

impl ConsortiumHandle {
    /// As the policy sees it.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        Subject::Consortium(self.relation)
    }
}

impl LedgerHandle {
    /// As the policy sees it.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        Subject::Ledger(self.relation)
    }
}

impl NodeHandle {
    /// As the policy sees it.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        Subject::Node { own: self.own }
    }
}

impl InvitationHandle {
    /// As the policy sees it.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        Subject::Invitation(self.side)
    }
}
