//! The audit trail.

use hansa_core::{AuditActId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Code, word_enum};

word_enum! {
    /// Which half of an act an entry records.
    AuditPhase {
        /// Committed before anything was done.
        Intent = "intent",
        /// What became of it; committed together with the change.
        Outcome = "outcome",
    }
}

word_enum! {
    /// What became of an act.
    AuditResult {
        /// It was done.
        Succeeded = "succeeded",
        /// The caller's role or a rule was against it.
        Denied = "denied",
        /// It failed and changed nothing.
        Failed = "failed",
        /// It is not known whether it was done: the process ended in between.
        Unknown = "unknown",
    }
}

/// One entry of a tenant's audit trail. Entries form a chain: each hash covers the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// Its place in the tenant's chain, from 1 without gaps.
    pub sequence: i64,
    /// The act: intent and outcome carry the same.
    pub act_id: AuditActId,
    /// Which half.
    pub phase: AuditPhase,
    /// The operation of the API, for example `invitation_accept`.
    pub action: String,
    /// Who: `user:…`, `api_key:…`, `reconciler:…` or `anonymous`.
    pub actor: String,
    /// What it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<Uuid>,
    /// The request.
    pub request_id: RequestId,
    /// What became of it; absent for an intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AuditResult>,
    /// The problem's code when it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// When.
    pub at: Timestamp,
    /// Hash of the entry before; zeros for the first.
    pub previous_hash: String,
    /// `SHA-256` over this entry with `previous_hash`.
    pub hash: String,
}
