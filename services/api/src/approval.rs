//! A ledger's founding document, and the members' agreement to it.

use axum::{Json, extract::State};
use hansa_core::LedgerId;
use hansa_types::{ApprovalCreate, Charter, GenesisDocument, Ledger};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Answer, Tagged},
    extract::{Body, Caller, Path},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(ledger_charter))
        .routes(routes!(ledger_approve))
        .routes(routes!(ledger_genesis))
}

/// Read what a ledger's members sign
///
/// It is there once a launch was asked for and all founding nodes have enrolled. Every member signs
/// the charter and each of its own nodes with its administrator key.
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger_id}/charter", tag = "ledgers",
    params(("ledger_id" = LedgerId, Path, description = "The ledger")),
    responses((status = 200, description = "The charter", body = Charter)),
)]
async fn ledger_charter(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<LedgerId>,
) -> Answer<Json<Charter>> {
    Ok(Json(api.control.ledger_charter(&caller.context, id).await?))
}

/// Approve a ledger's charter
///
/// In the name of the caller's member, with its administrator key's signatures. When all members
/// have approved, the genesis is published and the nodes begin.
#[utoipa::path(
    post, path = "/v1/ledgers/{ledger_id}/approvals", tag = "ledgers",
    params(("ledger_id" = LedgerId, Path, description = "The ledger")),
    request_body = ApprovalCreate,
    responses((status = 200, description = "The ledger", body = Ledger)),
)]
async fn ledger_approve(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<LedgerId>,
    body: Body<ApprovalCreate>,
) -> Answer<Tagged<Ledger>> {
    let Body { value, repeat } = body;
    Ok(Tagged(api.control.ledger_approve(&caller.context, id, &value, repeat).await?))
}

/// Read a ledger's genesis
///
/// The document that its nodes start from, with every member's signatures: enough to verify any
/// receipt offline.
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger_id}/genesis", tag = "ledgers",
    params(("ledger_id" = LedgerId, Path, description = "The ledger")),
    responses((status = 200, description = "The genesis", body = GenesisDocument)),
)]
async fn ledger_genesis(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<LedgerId>,
) -> Answer<Json<GenesisDocument>> {
    Ok(Json(GenesisDocument(api.control.ledger_genesis(&caller.context, id).await?)))
}
