//! Identifiers. Each noun has its own type, so that two can never be exchanged by mistake.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier (UUID version 7): later ones sort after earlier ones.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default must not be random")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID, for a database parameter or a hash.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )*};
}

id! {
    /// A customer organisation.
    TenantId
    /// A person of a tenant.
    UserId
    /// A console session of a user.
    SessionId
    /// A machine's long-lived credential.
    ApiKeyId
    /// A cluster that nodes can run in.
    ClusterId
    /// A group of member tenants that owns ledgers.
    ConsortiumId
    /// A tenant's seat in a consortium.
    MemberId
    /// An offer of a seat.
    InvitationId
    /// One chain of a consortium. The same 16 bytes name it inside the ledger.
    LedgerId
    /// One ledger node. The same 16 bytes name it inside the ledger.
    NodeId
    /// A node's one-time permission to enrol.
    EnrolmentTokenId
    /// The progress of something long.
    OperationId
    /// Something that a node or the control plane found wrong.
    IncidentId
    /// An entry of the event stream.
    EventId
    /// One audited act: its intent and its outcome carry the same id.
    AuditActId
    /// One request to the API, as answered in `X-Request-Id`.
    RequestId
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keyset pages sort by id: ids made later must sort later.
    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids: Vec<TenantId> = (0..1_000).map(|_| TenantId::new()).collect();
        assert!(ids.is_sorted(), "identifiers must be UUID version 7 with a counter");
    }

    /// An identifier that was printed can be read again, and nothing else can.
    #[test]
    fn display_and_parse_agree() {
        let id = NodeId::new();
        assert_eq!(id.to_string().parse::<NodeId>().ok(), Some(id));
        assert!("7".parse::<NodeId>().is_err(), "text that is no UUID was accepted");
    }
}
