//! What the API speaks: requests, views and problems, one file a noun.
//!
//! Owns the shape and the written form of everything that crosses the API, and checks what can be
//! checked by looking at the value alone: a request that was deserialised is well formed. Must not
//! know where values come from, who may see them, or HTTP beyond the numbers of statuses.

mod access_token;
mod api_key;
mod approval;
mod audit_event;
mod block;
mod cluster;
mod consortium;
pub mod enrolment;
mod event;
mod health;
mod incident;
mod invitation;
mod ledger;
mod list;
mod me;
mod member;
mod no_parameters;
mod node;
mod operation;
pub mod problem;
mod role;
mod session;
mod signature;
pub mod statement;
mod tenant;
mod text;
mod user;
pub mod vault;

pub use access_token::AccessToken;
pub use api_key::{ApiKey, ApiKeyCreate, ApiKeyCreated};
pub use approval::{
    ApprovalCreate, Charter, CharterMember, Endorsement, EndorsementDraft, GenesisDocument,
};
pub use audit_event::{AuditEvent, AuditPhase, AuditResult};
pub use block::{BlockDocument, BlockList, ReceiptDocument};
pub use cluster::{
    Cidr, Cluster, ClusterAccess, ClusterAccessKind, ClusterCreate, ClusterPhase, ClusterReport,
    ClusterSettings, ClusterUpdate, Expose, Host, ImageDigest, Kubeconfig, Source, Spread,
    StorageClass,
};
pub use consortium::{
    Comparator, Consortium, ConsortiumCreate, ConsortiumPhase, ConsortiumUpdate, Relation,
    VotingPolicy,
};
pub use event::{Event, EventKind};
pub use health::{HealthReason, LedgerHealth, LedgerState, NodeHealth};
pub use incident::{Incident, IncidentKind};
pub use invitation::{Invitation, InvitationAccept, InvitationCreate, InvitationPhase};
pub use ledger::{ConsensusPolicy, CryptoSuite, Ledger, LedgerCreate, LedgerPhase, LedgerUpdate};
pub use list::{
    ApiKeyList, AuditEventList, ClusterList, ConsortiumList, IncidentList, InvitationList,
    LedgerList, MemberList, NodeList, OperationList, TenantList, UserList,
};
pub use me::{Caller, Me};
pub use member::{Member, MemberPhase};
pub use no_parameters::NoParameters;
pub use node::{
    Node, NodeCreate, NodeObservation, NodePhase, NodePrivate, NodeResize, NodeSize, PROCESS,
    RunState,
};
pub use operation::{
    NextAction, Operation, OperationKind, OperationReason, OperationState, OperationStep,
    StepState, Target,
};
pub use problem::{Code, Problem};
pub use role::Role;
pub use session::{Session, SessionCreate};
pub use signature::{PublicKey, Signature};
pub use tenant::{Tenant, TenantCreate, TenantKind, TenantPhase};
pub use text::{DisplayName, Email, NewPassword, Password, TextError};
pub use user::{User, UserCreate, UserPhase, UserUpdate};

/// An enum of the API as text: the same words in JSON, in the database and in logs.
macro_rules! word_enum {
    (
        $(#[doc = $doc:literal])*
        $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[doc = $doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        // By hand: the derive does not see words that come from a macro.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some(concat!($($doc),*).trim()))
                    .enum_values(Some([$($text),+]))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::UnknownWord;

            fn try_from(word: String) -> Result<Self, $crate::UnknownWord> {
                match word.as_str() {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownWord { of: stringify!($name), word }),
                }
            }
        }
    };
}
pub(crate) use word_enum;

/// A word that is none of its enum: the database holds what a newer release wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    /// The enum.
    pub of: &'static str,
    /// The word.
    pub word: String,
}

impl std::fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is no {}", self.word, self.of)
    }
}

impl std::error::Error for UnknownWord {}
