//! Events: hints that something changed, in the order of their commits.

use hansa_core::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Target, word_enum};

word_enum! {
    /// What changed. Read the resource to see how.
    EventKind {
        /// A consortium.
        Consortium = "consortium",
        /// A seat.
        Member = "member",
        /// An invitation.
        Invitation = "invitation",
        /// A ledger.
        Ledger = "ledger",
        /// A node.
        Node = "node",
        /// An operation.
        Operation = "operation",
        /// An incident.
        Incident = "incident",
    }
}

/// One event. Its place in the stream is the `id` of the server-sent event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// What changed.
    pub kind: EventKind,
    /// The id of what changed.
    pub subject_id: Uuid,
    /// Where it belongs.
    pub target: Target,
    /// When.
    pub at: Timestamp,
}
