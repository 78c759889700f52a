//! Seats of a consortium.

use axum::{Json, extract::State, http::StatusCode};
use hansa_core::{ConsortiumId, MemberId};
use hansa_types::{Member, MemberList};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Answer, Tagged},
    extract::{Caller, IfMatch, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(member_list)).routes(routes!(member_get, member_delete))
}

/// List members
#[utoipa::path(
    get, path = "/v1/consortiums/{consortium_id}/members", tag = "members",
    params(("consortium_id" = ConsortiumId, Path, description = "The consortium"), PageParams),
    responses((status = 200, description = "A page of members", body = MemberList)),
)]
async fn member_list(
    State(api): State<Api>,
    caller: Caller,
    Path(consortium): Path<ConsortiumId>,
    Query(page): Query<PageParams>,
) -> Answer<Json<MemberList>> {
    Ok(Json(api.control.member_list(&caller.context, consortium, &page.into()).await?))
}

/// Read a member
#[utoipa::path(
    get, path = "/v1/consortiums/{consortium_id}/members/{member_id}", tag = "members",
    params(
        ("consortium_id" = ConsortiumId, Path, description = "The consortium"),
        ("member_id" = MemberId, Path, description = "The seat"),
    ),
    responses((status = 200, description = "The member", body = Member)),
)]
async fn member_get(
    State(api): State<Api>,
    caller: Caller,
    Path((consortium, id)): Path<(ConsortiumId, MemberId)>,
) -> Answer<Tagged<Member>> {
    Ok(Tagged(api.control.member_get(&caller.context, consortium, id).await?))
}

/// Leave, or remove a member
///
/// A member gives up its own seat; the owner removes others. The seat's nodes must be gone.
#[utoipa::path(
    delete, path = "/v1/consortiums/{consortium_id}/members/{member_id}", tag = "members",
    params(
        ("consortium_id" = ConsortiumId, Path, description = "The consortium"),
        ("member_id" = MemberId, Path, description = "The seat"),
        ("If-Match" = String, Header, description = "The ETag that the end is meant for"),
    ),
    responses((status = 204, description = "The seat is free")),
)]
async fn member_delete(
    State(api): State<Api>,
    caller: Caller,
    Path((consortium, id)): Path<(ConsortiumId, MemberId)>,
    IfMatch(expected): IfMatch,
) -> Answer<StatusCode> {
    api.control.member_delete(&caller.context, consortium, id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
