//! How the node stands.

use axum::{Json, extract::State};
use ledger_state::Reader;
use ledger_types::{Digest, LedgerId, Policy};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Request, Shared, openapi::example};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(status_get))
}

/// Whether a node trusts its own disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Nothing is known to be wrong.
    Ok,
    /// Something is wrong and is being put right; the node does not vote.
    Repairing,
}

/// How the node stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// The ledger.
    pub ledger: LedgerId,
    /// This node's index among the validators.
    pub node: u16,
    /// Last decided height.
    pub height: u64,
    /// Last executed height.
    pub executed_height: u64,
    /// Its execution root.
    pub execution_root: Digest,
    /// Round of the height in progress.
    pub round: u32,
    /// Who leads it.
    pub leader: u16,
    /// How the validators agree.
    pub policy: Policy,
    /// How many there are.
    pub validators: usize,
    /// Whether this node votes.
    pub may_vote: bool,
    /// Whether it has found its own state wrong.
    pub diverged: bool,
    /// Whether it trusts its own disk.
    pub integrity: Integrity,
    /// Transactions that wait here.
    pub waiting: usize,
    /// Whether enough validators are connected to decide anything.
    pub quorum_reachable: bool,
    /// Indices of connected peers.
    pub peers_connected: Vec<u16>,
}

/// The heights that a query may ask for, both included.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
struct KeptView {
    /// At most 1,000 back, and not before the last change of the schema.
    from: u64,
    /// The executed height.
    to: u64,
}

/// How the node stands, and what it can be asked.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct StatusView {
    #[serde(flatten)]
    status: Status,
    /// Absent while the state is being exchanged for a repaired one.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_heights: Option<KeptView>,
}

/// Read the node's status
///
/// Heights, roots, round, peers, and whether the node trusts its own disk. Cheap enough to poll.
#[utoipa::path(
    get, path = "/v1/status", tag = "node",
    responses((status = 200, description = "The status", body = StatusView,
        example = json!(example::status()))),
)]
async fn status_get(State(shared): State<Shared>) -> Answer<Json<StatusView>> {
    let status = shared.ask(Request::Status).await?;
    let path = shared.state.clone();
    let kept = tokio::task::spawn_blocking(move || Reader::open(&path)?.kept_heights());
    let kept = kept.await.ok().and_then(Result::ok);
    let kept_heights = kept.map(|kept| KeptView { from: kept.from, to: kept.to });
    Ok(Json(StatusView { status, kept_heights }))
}
