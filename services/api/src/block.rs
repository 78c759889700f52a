//! Blocks and transactions of a ledger.

use axum::{Json, extract::State};
use hansa_core::{LedgerId, limits};
use hansa_types::{BlockDocument, BlockList, ReceiptDocument};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Answer,
    extract::{Caller, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(block_list))
        .routes(routes!(block_get))
        .routes(routes!(transaction_get))
}

/// Which blocks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Blocks {
    /// Only those below this height: `next_before` of the page before.
    #[param(minimum = 1, example = 100)]
    before: Option<u64>,
    /// How many, 1 to 50; 20 unless given.
    #[param(minimum = 1, maximum = 50, example = 20)]
    page_size: Option<u16>,
}

/// List a ledger's blocks
///
/// Newest first, relayed from a node of the caller's own member. The read is on its audit trail.
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger_id}/blocks", tag = "ledgers",
    params(("ledger_id" = LedgerId, Path, description = "The ledger"), Blocks),
    responses((status = 200, description = "A page of blocks", body = BlockList)),
)]
async fn block_list(
    State(api): State<Api>,
    caller: Caller,
    Path(ledger): Path<LedgerId>,
    Query(Blocks { before, page_size }): Query<Blocks>,
) -> Answer<Json<BlockList>> {
    let size = page_size.unwrap_or(limits::BLOCKS_RELAYED_DEFAULT);
    Ok(Json(api.control.block_list(&caller.context, ledger, before, size).await?))
}

/// Read a block
///
/// Relayed from a node of the caller's own member. The read is on its audit trail.
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger_id}/blocks/{height}", tag = "ledgers",
    params(
        ("ledger_id" = LedgerId, Path, description = "The ledger"),
        ("height" = u64, Path, description = "The height, from 1"),
    ),
    responses((status = 200, description = "The block", body = BlockDocument)),
)]
async fn block_get(
    State(api): State<Api>,
    caller: Caller,
    Path((ledger, height)): Path<(LedgerId, u64)>,
) -> Answer<Json<BlockDocument>> {
    Ok(Json(api.control.block_get(&caller.context, ledger, height).await?))
}

/// Read a transaction's receipt
///
/// Relayed from a node of the caller's own member; verify it offline with the genesis. The read is
/// on the member's audit trail.
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger_id}/transactions/{transaction_id}", tag = "ledgers",
    params(
        ("ledger_id" = LedgerId, Path, description = "The ledger"),
        ("transaction_id" = String, Path, description = "64 hexadecimal digits"),
    ),
    responses((status = 200, description = "The receipt", body = ReceiptDocument)),
)]
async fn transaction_get(
    State(api): State<Api>,
    caller: Caller,
    Path((ledger, transaction)): Path<(LedgerId, String)>,
) -> Answer<Json<ReceiptDocument>> {
    Ok(Json(api.control.transaction_get(&caller.context, ledger, &transaction).await?))
}
