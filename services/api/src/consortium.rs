//! Consortiums.

use axum::{Json, extract::State};
use hansa_core::ConsortiumId;
use hansa_types::{Consortium, ConsortiumCreate, ConsortiumList, ConsortiumUpdate, Operation};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Accepted, Answer, Created, Tagged},
    extract::{Body, Caller, IfMatch, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(consortium_create, consortium_list)).routes(routes!(
        consortium_get,
        consortium_update,
        consortium_delete
    ))
}

/// Found a consortium
///
/// The caller's tenant becomes its owner and takes its first seat, with the administrator key that
/// signs the founding statement: the SHA-256 of `len(tag) tag tenant=…⏎ consortium=…⏎ member=…⏎
/// administrator_key=…⏎` with the tag `hansa/consortium-found/v1`.
#[utoipa::path(
    post, path = "/v1/consortiums", tag = "consortiums",
    request_body = ConsortiumCreate,
    responses((status = 201, description = "The consortium", body = Consortium)),
)]
async fn consortium_create(
    State(api): State<Api>,
    caller: Caller,
    body: Body<ConsortiumCreate>,
) -> Answer<Created<Consortium>> {
    let value = api.control.consortium_create(&caller.context, &body.value, body.repeat).await?;
    Ok(Created { location: format!("/v1/consortiums/{}", value.id), value })
}

/// List consortiums
///
/// Those that the caller's tenant owns, is a member of or is invited to.
#[utoipa::path(
    get, path = "/v1/consortiums", tag = "consortiums", params(PageParams),
    responses((status = 200, description = "A page of consortiums", body = ConsortiumList)),
)]
async fn consortium_list(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<PageParams>,
) -> Answer<Json<ConsortiumList>> {
    Ok(Json(api.control.consortium_list(&caller.context, &page.into()).await?))
}

/// Read a consortium
#[utoipa::path(
    get, path = "/v1/consortiums/{consortium_id}", tag = "consortiums",
    params(("consortium_id" = ConsortiumId, Path, description = "The consortium")),
    responses((status = 200, description = "The consortium", body = Consortium)),
)]
async fn consortium_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConsortiumId>,
) -> Answer<Tagged<Consortium>> {
    Ok(Tagged(api.control.consortium_get(&caller.context, id).await?))
}

/// Change a consortium
#[utoipa::path(
    patch, path = "/v1/consortiums/{consortium_id}", tag = "consortiums",
    params(
        ("consortium_id" = ConsortiumId, Path, description = "The consortium"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body = ConsortiumUpdate,
    responses((status = 200, description = "The changed consortium", body = Consortium)),
)]
async fn consortium_update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConsortiumId>,
    IfMatch(expected): IfMatch,
    body: Body<ConsortiumUpdate>,
) -> Answer<Tagged<Consortium>> {
    let changed = api.control.consortium_update(&caller.context, id, expected, &body.value).await?;
    Ok(Tagged(changed))
}

/// End a consortium
///
/// Its nodes are stopped and removed; their volumes are kept for the retention time.
#[utoipa::path(
    delete, path = "/v1/consortiums/{consortium_id}", tag = "consortiums",
    params(
        ("consortium_id" = ConsortiumId, Path, description = "The consortium"),
        ("If-Match" = String, Header, description = "The ETag that the end is meant for"),
    ),
    responses((status = 202, description = "The operation that ends it", body = Operation)),
)]
async fn consortium_delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ConsortiumId>,
    IfMatch(expected): IfMatch,
) -> Answer<Accepted> {
    Ok(Accepted(api.control.consortium_delete(&caller.context, id, expected).await?))
}
