//! Incidents of a ledger.

use hansa_core::{IncidentId, LedgerId, NodeId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::word_enum;

word_enum! {
    /// What was found wrong.
    IncidentKind {
        /// A stored block differs from its certificate.
        BlockCorrupt = "block_corrupt",
        /// Rows differ from the certified state root.
        StateCorrupt = "state_corrupt",
        /// A validator signed two different votes for one place.
        Equivocation = "equivocation",
    }
}

/// Something found wrong on a ledger.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The node that it was found on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// What.
    pub kind: IncidentKind,
    /// In words.
    pub summary: String,
    /// When it was found.
    pub opened_at: Timestamp,
    /// When it was put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
}
