//! Pages of each noun.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! list {
    ($($(#[$doc:meta])* $name:ident of $item:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
        pub struct $name {
            /// The items in the list's order.
            pub items: Vec<$item>,
            /// Pass as `page_token` for the next page; absent on the last one.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub next_page_token: Option<String>,
        }

        impl From<(Vec<$item>, Option<String>)> for $name {
            fn from((items, next_page_token): (Vec<$item>, Option<String>)) -> Self {
                Self { items, next_page_token }
            }
        }
    )*};
}

list! {
    /// A page of tenants, newest first.
    TenantList of crate::Tenant;
    /// A page of users, newest first.
    UserList of crate::User;
    /// A page of API keys, newest first.
    ApiKeyList of crate::ApiKey;
    /// A page of clusters, newest first.
    ClusterList of crate::Cluster;
    /// A page of consortiums, newest first.
    ConsortiumList of crate::Consortium;
    /// A page of members, in order of joining.
    MemberList of crate::Member;
    /// A page of invitations, newest first.
    InvitationList of crate::Invitation;
    /// A page of ledgers, newest first.
    LedgerList of crate::Ledger;
    /// A page of nodes, in order of creation.
    NodeList of crate::Node;
    /// A page of operations, newest first.
    OperationList of crate::Operation;
    /// A page of incidents, newest first.
    IncidentList of crate::Incident;
    /// A page of the audit trail, newest first.
    AuditEventList of crate::AuditEvent;
}
