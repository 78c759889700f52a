//! The errors of the product, free of any transport. One place elsewhere maps them to HTTP.

use std::time::Duration;

use crate::limits;

/// What most fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed cause; logged where the error is handled and never shown to a caller.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// The nouns of the product, as they appear in errors, audit records and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A customer organisation.
    Tenant,
    /// A person of a tenant.
    User,
    /// A console session.
    Session,
    /// A machine credential.
    ApiKey,
    /// A group of tenants.
    Consortium,
    /// A seat in a consortium.
    Member,
    /// An offer of a seat.
    Invitation,
    /// A cluster that nodes can run in.
    Cluster,
    /// One chain.
    Ledger,
    /// One ledger node.
    Node,
    /// A block of a ledger.
    Block,
    /// A transaction of a ledger.
    Transaction,
    /// The progress of something long.
    Operation,
    /// Something found wrong.
    Incident,
    /// The event stream.
    Event,
    /// The audit trail.
    AuditEvent,
    /// An address that the API does not have.
    Route,
}

impl Kind {
    /// All nouns, for tables that must cover each.
    pub const ALL: [Self; 17] = [
        Self::Tenant,
        Self::User,
        Self::Session,
        Self::ApiKey,
        Self::Consortium,
        Self::Member,
        Self::Invitation,
        Self::Cluster,
        Self::Ledger,
        Self::Node,
        Self::Block,
        Self::Transaction,
        Self::Operation,
        Self::Incident,
        Self::Event,
        Self::AuditEvent,
        Self::Route,
    ];

    /// The noun in lower snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Session => "session",
            Self::ApiKey => "api_key",
            Self::Consortium => "consortium",
            Self::Member => "member",
            Self::Invitation => "invitation",
            Self::Cluster => "cluster",
            Self::Ledger => "ledger",
            Self::Node => "node",
            Self::Block => "block",
            Self::Transaction => "transaction",
            Self::Operation => "operation",
            Self::Incident => "incident",
            Self::Event => "event",
            Self::AuditEvent => "audit_event",
            Self::Route => "route",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.as_str().replace('_', " "))
    }
}

/// Which rule a part of the input broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It must be present.
    Required,
    /// It is not known here.
    Unknown,
    /// It does not have the required form.
    Format,
    /// It lies outside its bounds.
    Range,
}

/// One thing that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a JSON pointer into the body (`/name`) or the name of a parameter (`page_size`).
    pub pointer: String,
    /// Which rule.
    pub rule: Rule,
    /// What to change, for the caller to read.
    pub detail: String,
}

impl Violation {
    /// A violation at `pointer`.
    pub fn new(pointer: impl Into<String>, rule: Rule, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), rule, detail: detail.into() }
    }
}

/// A rule of the product that stands against an otherwise well-formed request.
///
/// The list is closed: each entry has a code of its own in the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The consensus policy is not offered yet.
    #[error("this consensus policy is not available")]
    PolicyNotAvailable,
    /// The ledger has fewer nodes than its policy needs.
    #[error("the policy needs at least {need} nodes, the ledger has {have}")]
    NotEnoughNodes {
        /// Nodes that exist.
        have: u32,
        /// Nodes that the policy needs.
        need: u32,
    },
    /// The ledger cannot change in its present phase.
    #[error("the {kind} is {phase}, which does not allow this")]
    WrongPhase {
        /// What is in that phase.
        kind: Kind,
        /// The phase.
        phase: &'static str,
    },
    /// The invitation was answered, withdrawn or has expired.
    #[error("the invitation is no longer open")]
    InvitationClosed,
    /// The tenant already has a seat or an open invitation.
    #[error("the tenant is already a member or invited")]
    AlreadyMember,
    /// The member's signature does not verify for this statement and key.
    #[error("the signature does not verify for this statement and key")]
    SignatureInvalid,
    /// The key is no usable Ed25519 public key.
    #[error("the key is no usable Ed25519 public key")]
    KeyInvalid,
    /// The last administrator of a tenant cannot be removed or demoted.
    #[error("a tenant needs at least one active administrator")]
    LastAdministrator,
    /// A tenant with seats in consortiums cannot be ended.
    #[error("the tenant has seats in {seats} consortiums that have not ended")]
    TenantHasSeats {
        /// How many.
        seats: u32,
    },
    /// Nobody removes the account that they act with.
    #[error("this is the account of the caller")]
    OwnAccount,
    /// The owner of a consortium cannot leave it.
    #[error("the owner cannot leave the consortium")]
    OwnerCannotLeave,
    /// Another operation on the same object has not ended.
    #[error("another operation on this has not ended yet")]
    OperationInProgress,
    /// The operation has ended.
    #[error("the operation has ended")]
    OperationEnded,
    /// Something of this kind is still in use by others.
    #[error("the {0} is still in use")]
    InUse(Kind),
    /// The tenant to be invited does not exist.
    #[error("there is no tenant of this name")]
    TenantUnknown,
    /// The event position lies before the oldest kept event.
    #[error("events before this position are no longer kept")]
    EventsExpired,
}

/// Why something was not done.
///
/// `Display` is safe to show to the caller; causes are in `source()` and are only logged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not exist, or the caller may not know that it does.
    #[error("the {0} does not exist")]
    NotFound(Kind),
    /// Its name is taken.
    #[error("a {0} with this name exists")]
    AlreadyExists(Kind),
    /// The input is malformed.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// A rule of the product is against it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The caller changed something that was changed since it was read.
    #[error("the resource has changed since it was read")]
    Stale,
    /// The caller is not known, or its credential is not valid any more.
    #[error("a valid credential is required")]
    Unauthenticated,
    /// The caller is known and may not do this.
    #[error("the caller's role does not allow this")]
    Forbidden,
    /// A bound on how many things a tenant may have is reached.
    #[error("the limit of {limit} is reached")]
    QuotaExceeded {
        /// The bound.
        limit: u32,
    },
    /// Too many requests of this kind at once.
    #[error("too many requests")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The same idempotency key was used for another request, or that request is still running.
    #[error("the idempotency key {0}")]
    Idempotency(IdempotencyConflict),
    /// Something that we depend on does not answer.
    #[error("the service is temporarily unavailable")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// What happened.
        source: Source,
    },
    /// A fault of ours.
    #[error("an internal error occurred")]
    Internal(#[source] Source),
}

/// How an idempotency key collides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdempotencyConflict {
    /// Used for a request with another method, path or body.
    #[error("was used for a different request")]
    DifferentRequest,
    /// The first request has not been answered yet.
    #[error("belongs to a request that is still in progress")]
    InProgress,
}

impl Error {
    /// One thing wrong with the input.
    pub fn invalid(pointer: impl Into<String>, rule: Rule, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(pointer, rule, detail)])
    }

    /// A fault of ours with its cause.
    pub fn internal(cause: impl Into<Source>) -> Self {
        Self::Internal(cause.into())
    }

    /// Something that we depend on does not answer; ask the caller to come back soon.
    pub fn unavailable(cause: impl Into<Source>) -> Self {
        Self::Unavailable { retry_after: limits::RETRY_AFTER, source: cause.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-64: what a caller reads must not contain causes, which hold SQL, paths and addresses.
    #[test]
    fn the_display_of_an_error_does_not_repeat_its_cause() {
        let cause = "password=hunter2 at /var/lib/postgresql";
        for error in [Error::internal(cause), Error::unavailable(cause)] {
            assert!(!error.to_string().contains("hunter2"), "the cause leaked: {error}");
            assert!(std::error::Error::source(&error).is_some(), "the cause must stay loggable");
        }
    }

    /// Tables elsewhere walk `Kind::ALL`: a kind that is missing there is missing everywhere.
    #[test]
    fn the_list_of_kinds_has_no_repetition() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|k| k.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len(), "a kind occurs twice in Kind::ALL");
    }
}
