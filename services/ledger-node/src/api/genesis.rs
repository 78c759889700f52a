//! The genesis that the node runs on.

use axum::{Json, extract::State};
use ledger_types::Genesis;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Shared, openapi::example};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(genesis_get))
}

/// Read the genesis
///
/// Who the members and validators are, with their signatures. Check it and compare it with the one
/// that you trust: a node can show any.
#[utoipa::path(
    get, path = "/v1/genesis", tag = "node",
    responses((status = 200, description = "The genesis", body = Genesis,
        example = json!(example::genesis()))),
)]
async fn genesis_get(State(shared): State<Shared>) -> Json<Genesis> {
    Json((*shared.genesis).clone())
}
