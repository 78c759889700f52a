//! Who acts.

use hansa_core::{ApiKeyId, NodeId, UserId, Uuid};

/// Who acts. Each kind has an id space of its own: a machine can never be taken for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person.
    User(UserId),
    /// A machine of a tenant.
    ApiKey(ApiKeyId),
    /// A ledger node that enrols.
    Node(NodeId),
    /// A part of the control plane that acts by itself.
    Reconciler(&'static str),
    /// Nobody yet: a sign-in, or a request without a credential.
    Anonymous,
}

impl Actor {
    /// The id of a person or machine.
    #[must_use]
    pub const fn id(self) -> Option<Uuid> {
        match self {
            Self::User(id) => Some(id.uuid()),
            Self::ApiKey(id) => Some(id.uuid()),
            Self::Node(id) => Some(id.uuid()),
            Self::Reconciler(_) | Self::Anonymous => None,
        }
    }
}

impl std::fmt::Display for Actor {
    /// `user:…`, `api_key:…`, `node:…`, `reconciler:…` or `anonymous`, as the audit trail writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            Self::Node(id) => write!(f, "node:{id}"),
            Self::Reconciler(name) => write!(f, "reconciler:{name}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}
