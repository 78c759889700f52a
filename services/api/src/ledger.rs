//! Ledgers.

use axum::{Json, extract::State};
use hansa_core::{ConsortiumId, LedgerId};
use hansa_types::{Ledger, LedgerCreate, LedgerList, LedgerUpdate, NoParameters, Operation};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Accepted, Answer, Created, Tagged},
    extract::{Body, Caller, IfMatch, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(ledger_create, ledger_list))
        .routes(routes!(ledger_get, ledger_update, ledger_delete))
        .routes(routes!(ledger_launch))
}

/// Make a ledger
///
/// It has no genesis yet: members add their nodes, then it is launched.
#[utoipa::path(
    post, path = "/v1/consortiums/{consortium_id}/ledgers", tag = "ledgers",
    params(("consortium_id" = ConsortiumId, Path, description = "The consortium")),
    request_body = LedgerCreate,
    responses((status = 201, description = "The ledger", body = Ledger)),
)]
async fn ledger_create(
    State(api): State<Api>,
    caller: Caller,
    Path(consortium): Path<ConsortiumId>,
    body: Body<LedgerCreate>,
) -> Answer<Created<Ledger>> {
    let Body { value, repeat } = body;
    let value = api.control.ledger_create(&caller.context, consortium, &value, repeat).await?;
    Ok(Created { location: format!("/v1/ledgers/{}", value.id), value })
}

/// List a consortium's ledgers
#[utoipa::path(
    get, path = "/v1/consortiums/{consortium_id}/ledgers", tag = "ledgers",
    params(("consortium_id" = ConsortiumId, Path, description = "The consortium"), PageParams),
    responses((status = 200, description = "A page of ledgers", body = LedgerList)),
)]
async fn ledger_list(
    State(api): State<Api>,
    caller: Caller,
    Path(consortium): Path<ConsortiumId>,
    Query(page): Query<PageParams>,
) -> Answer<Json<LedgerList>> {
    Ok(Json(api.control.ledger_list(&caller.context, consortium, &page.into()).await?))
}

/// Read a ledger
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger_id}", tag = "ledgers",
    params(("ledger_id" = LedgerId, Path, description = "The ledger")),
    responses((status = 200, description = "The ledger", body = Ledger)),
)]
async fn ledger_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<LedgerId>,
) -> Answer<Tagged<Ledger>> {
    Ok(Tagged(api.control.ledger_get(&caller.context, id).await?))
}

/// Change a ledger that has no genesis yet
#[utoipa::path(
    patch, path = "/v1/ledgers/{ledger_id}", tag = "ledgers",
    params(
        ("ledger_id" = LedgerId, Path, description = "The ledger"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body = LedgerUpdate,
    responses((status = 200, description = "The changed ledger", body = Ledger)),
)]
async fn ledger_update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<LedgerId>,
    IfMatch(expected): IfMatch,
    body: Body<LedgerUpdate>,
) -> Answer<Tagged<Ledger>> {
    Ok(Tagged(api.control.ledger_update(&caller.context, id, expected, &body.value).await?))
}

/// End a ledger
///
/// Ends the nodes of all its members; their volumes are kept for seven days. For the owner of the
/// consortium. The answer says that the end is recorded; follow the operation.
#[utoipa::path(
    delete, path = "/v1/ledgers/{ledger_id}", tag = "ledgers",
    params(
        ("ledger_id" = LedgerId, Path, description = "The ledger"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    responses((status = 202, description = "The operation that ends it", body = Operation)),
)]
async fn ledger_delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<LedgerId>,
    IfMatch(expected): IfMatch,
) -> Answer<Accepted> {
    Ok(Accepted(api.control.ledger_delete(&caller.context, id, expected).await?))
}

/// Launch a ledger
///
/// Needs as many nodes as its policy: `bft` four, `cft` three, or one if marked as for development.
/// The answer says that the launch is recorded; follow the operation.
#[utoipa::path(
    post, path = "/v1/ledgers/{ledger_id}/launch", tag = "ledgers",
    params(("ledger_id" = LedgerId, Path, description = "The ledger")),
    request_body = NoParameters,
    responses((status = 202, description = "The operation that launches it", body = Operation)),
)]
async fn ledger_launch(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<LedgerId>,
    body: Body<NoParameters>,
) -> Answer<Accepted> {
    Ok(Accepted(api.control.ledger_launch(&caller.context, id, body.repeat).await?))
}
