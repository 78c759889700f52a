//! Problems (RFC 9457) and the closed list of their codes.

use hansa_core::{Error, IdempotencyConflict, Refusal, RequestId, Rule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::word_enum;

word_enum! {
    /// What went wrong. Programs decide by this word and by nothing else.
    Code {
        /// 404: it does not exist, or the caller may not know that it does.
        NotFound = "not_found",
        /// 405: the address exists and does not know this method.
        MethodNotAllowed = "method_not_allowed",
        /// 409: the name is taken.
        NameTaken = "name_taken",
        /// 400: the request is malformed; `errors` says where.
        InvalidRequest = "invalid_request",
        /// 413: the body is too large.
        BodyTooLarge = "body_too_large",
        /// 415: the body is not JSON.
        UnsupportedMediaType = "unsupported_media_type",
        /// 428: the request needs `If-Match` with the revision that it changes.
        RevisionRequired = "revision_required",
        /// 412: the resource has changed since it was read.
        RevisionStale = "revision_stale",
        /// 401: a valid credential is required.
        Unauthenticated = "unauthenticated",
        /// 403: the caller's role does not allow this.
        Forbidden = "forbidden",
        /// 403: a browser sent the request from another site.
        OriginRefused = "origin_refused",
        /// 409: a bound on how many things a tenant may have is reached.
        QuotaExceeded = "quota_exceeded",
        /// 429: too many requests at once.
        TooManyRequests = "too_many_requests",
        /// 422: the idempotency key was used for another request.
        IdempotencyKeyReused = "idempotency_key_reused",
        /// 409: the first request with this idempotency key is still running.
        IdempotencyInProgress = "idempotency_in_progress",
        /// 422: the consensus policy is not offered yet.
        PolicyNotAvailable = "policy_not_available",
        /// 409: the ledger has fewer nodes than its policy needs.
        NotEnoughNodes = "not_enough_nodes",
        /// 409: it cannot change in its present phase.
        WrongPhase = "wrong_phase",
        /// 409: the invitation was answered, withdrawn or has expired.
        InvitationClosed = "invitation_closed",
        /// 409: the tenant is already a member or invited.
        AlreadyMember = "already_member",
        /// 422: the signature does not verify.
        SignatureInvalid = "signature_invalid",
        /// 422: the key is no usable public key.
        KeyInvalid = "key_invalid",
        /// 409: a tenant needs an active administrator.
        LastAdministrator = "last_administrator",
        /// 409: the tenant has seats in consortiums that have not ended.
        TenantHasSeats = "tenant_has_seats",
        /// 409: nobody removes the account that they act with.
        OwnAccount = "own_account",
        /// 409: the owner cannot leave its consortium.
        OwnerCannotLeave = "owner_cannot_leave",
        /// 409: another operation on this has not ended yet; wait for it.
        OperationInProgress = "operation_in_progress",
        /// 409: the operation has ended.
        OperationEnded = "operation_ended",
        /// 409: it is still in use.
        InUse = "in_use",
        /// 422: there is no tenant of this name.
        TenantUnknown = "tenant_unknown",
        /// 410: events before this position are no longer kept.
        EventsExpired = "events_expired",
        /// 503: come back after `Retry-After`.
        Unavailable = "unavailable",
        /// 500: a fault of ours; quote the request id.
        Internal = "internal",
    }
}

impl Code {
    /// The HTTP status that it travels with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden | Self::OriginRefused => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NameTaken
            | Self::QuotaExceeded
            | Self::IdempotencyInProgress
            | Self::NotEnoughNodes
            | Self::WrongPhase
            | Self::InvitationClosed
            | Self::AlreadyMember
            | Self::LastAdministrator
            | Self::TenantHasSeats
            | Self::OwnAccount
            | Self::OwnerCannotLeave
            | Self::OperationInProgress
            | Self::OperationEnded
            | Self::InUse => 409,
            Self::EventsExpired => 410,
            Self::RevisionStale => 412,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::IdempotencyKeyReused
            | Self::PolicyNotAvailable
            | Self::SignatureInvalid
            | Self::KeyInvalid
            | Self::TenantUnknown => 422,
            Self::RevisionRequired => 428,
            Self::TooManyRequests => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// The code of an error.
    #[must_use]
    pub const fn of(error: &Error) -> Self {
        match error {
            Error::NotFound(_) => Self::NotFound,
            Error::AlreadyExists(_) => Self::NameTaken,
            Error::Invalid(_) => Self::InvalidRequest,
            Error::Refused(refusal) => Self::of_refusal(refusal),
            Error::Stale => Self::RevisionStale,
            Error::Unauthenticated => Self::Unauthenticated,
            Error::Forbidden => Self::Forbidden,
            Error::QuotaExceeded { .. } => Self::QuotaExceeded,
            Error::Busy { .. } => Self::TooManyRequests,
            Error::Idempotency(IdempotencyConflict::DifferentRequest) => Self::IdempotencyKeyReused,
            Error::Idempotency(IdempotencyConflict::InProgress) => Self::IdempotencyInProgress,
            Error::Unavailable { .. } => Self::Unavailable,
            Error::Internal(_) => Self::Internal,
        }
    }

    const fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::PolicyNotAvailable => Self::PolicyNotAvailable,
            Refusal::NotEnoughNodes { .. } => Self::NotEnoughNodes,
            Refusal::WrongPhase { .. } => Self::WrongPhase,
            Refusal::InvitationClosed => Self::InvitationClosed,
            Refusal::AlreadyMember => Self::AlreadyMember,
            Refusal::SignatureInvalid => Self::SignatureInvalid,
            Refusal::KeyInvalid => Self::KeyInvalid,
            Refusal::LastAdministrator => Self::LastAdministrator,
            Refusal::TenantHasSeats { .. } => Self::TenantHasSeats,
            Refusal::OwnAccount => Self::OwnAccount,
            Refusal::OwnerCannotLeave => Self::OwnerCannotLeave,
            Refusal::OperationInProgress => Self::OperationInProgress,
            Refusal::OperationEnded => Self::OperationEnded,
            Refusal::InUse(_) => Self::InUse,
            Refusal::TenantUnknown => Self::TenantUnknown,
            Refusal::EventsExpired => Self::EventsExpired,
        }
    }
}

word_enum! {
    /// Which rule a part of the request broke.
    FieldCode {
        /// It must be present.
        Required = "required",
        /// It is not known here.
        Unknown = "unknown",
        /// It does not have the required form.
        Format = "format",
        /// It lies outside its bounds.
        Range = "range",
    }
}

/// One part of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer into the body (`/name`), or the name of a parameter.
    #[schema(example = "/name")]
    pub pointer: String,
    /// Which rule.
    pub code: FieldCode,
    /// What to change.
    pub detail: String,
}

/// Every answer that is not a success (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "not_found", "status": 404, "code": "not_found",
    "detail": "the ledger does not exist", "instance": "/v1/ledgers/0199…",
    "request_id": "01990000-0000-7000-8000-000000000000"
}))]
pub struct Problem {
    /// Always `about:blank`: `code` says what it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code again, for people's tools.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for people.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// What went wrong, for programs.
    pub code: Code,
    /// Quote it when asking for help.
    pub request_id: RequestId,
    /// The parts of the request that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A problem of `code`.
    #[must_use]
    pub fn new(code: Code, detail: String, instance: String, request_id: RequestId) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: code.to_string(),
            status: code.status(),
            detail,
            instance,
            code,
            request_id,
            errors: Vec::new(),
        }
    }

    /// The problem of an error: its public text and nothing of its causes.
    #[must_use]
    pub fn of(error: &Error, instance: String, request_id: RequestId) -> Self {
        let mut problem = Self::new(Code::of(error), error.to_string(), instance, request_id);
        if let Error::Invalid(violations) = error {
            problem.errors = violations
                .iter()
                .map(|v| FieldError {
                    pointer: v.pointer.clone(),
                    code: match v.rule {
                        Rule::Required => FieldCode::Required,
                        Rule::Unknown => FieldCode::Unknown,
                        Rule::Format => FieldCode::Format,
                        Rule::Range => FieldCode::Range,
                    },
                    detail: v.detail.clone(),
                })
                .collect();
        }
        problem
    }
}
