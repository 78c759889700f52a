//! Blocks and transactions, relayed from a node of the caller's own member.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A block as a node shows it: header, ids of its transactions, certificate.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({
    "digest": "5f0c…", "header": { "height": 7, "time_ms": 1_800_000_000_000_u64 },
    "transactions": [], "certificate": {}
}))]
#[serde(transparent)]
pub struct BlockDocument(pub Value);

/// A page of blocks, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockList {
    /// The blocks.
    pub items: Vec<BlockDocument>,
    /// `before` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<u64>,
}

/// A transaction's receipt as a node gives it; `hansa-node verify` checks it offline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({
    "transaction": "5f0c…", "height": 7, "outcome": {}, "certificate": {}
}))]
#[serde(transparent)]
pub struct ReceiptDocument(pub Value);
