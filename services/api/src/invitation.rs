//! Offers of seats.

use axum::{Json, extract::State, http::StatusCode};
use hansa_core::{ConsortiumId, InvitationId};
use hansa_types::{Invitation, InvitationAccept, InvitationCreate, InvitationList, NoParameters};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Answer, Created, Tagged},
    extract::{Body, Caller, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(invitation_create, invitation_list_of_consortium))
        .routes(routes!(invitation_list))
        .routes(routes!(invitation_get, invitation_delete))
        .routes(routes!(invitation_accept))
        .routes(routes!(invitation_decline))
}

/// Invite a tenant
///
/// By its exact name. It sees the consortium and its members until it answers.
#[utoipa::path(
    post, path = "/v1/consortiums/{consortium_id}/invitations", tag = "invitations",
    params(("consortium_id" = ConsortiumId, Path, description = "The consortium")),
    request_body = InvitationCreate,
    responses((status = 201, description = "The invitation", body = Invitation)),
)]
async fn invitation_create(
    State(api): State<Api>,
    caller: Caller,
    Path(consortium): Path<ConsortiumId>,
    body: Body<InvitationCreate>,
) -> Answer<Created<Invitation>> {
    let Body { value, repeat } = body;
    let value = api.control.invitation_create(&caller.context, consortium, &value, repeat).await?;
    Ok(Created { location: format!("/v1/invitations/{}", value.id), value })
}

/// List a consortium's invitations
#[utoipa::path(
    get, path = "/v1/consortiums/{consortium_id}/invitations", tag = "invitations",
    params(("consortium_id" = ConsortiumId, Path, description = "The consortium"), PageParams),
    responses((status = 200, description = "A page of invitations", body = InvitationList)),
)]
async fn invitation_list_of_consortium(
    State(api): State<Api>,
    caller: Caller,
    Path(consortium): Path<ConsortiumId>,
    Query(page): Query<PageParams>,
) -> Answer<Json<InvitationList>> {
    let page = page.into();
    Ok(Json(api.control.invitation_list(&caller.context, Some(consortium), &page).await?))
}

/// List the invitations to my tenant
#[utoipa::path(
    get, path = "/v1/invitations", tag = "invitations", params(PageParams),
    responses((status = 200, description = "A page of invitations", body = InvitationList)),
)]
async fn invitation_list(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<PageParams>,
) -> Answer<Json<InvitationList>> {
    Ok(Json(api.control.invitation_list(&caller.context, None, &page.into()).await?))
}

/// Read an invitation
#[utoipa::path(
    get, path = "/v1/invitations/{invitation_id}", tag = "invitations",
    params(("invitation_id" = InvitationId, Path, description = "The invitation")),
    responses((status = 200, description = "The invitation", body = Invitation)),
)]
async fn invitation_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<InvitationId>,
) -> Answer<Tagged<Invitation>> {
    Ok(Tagged(api.control.invitation_get(&caller.context, id).await?))
}

/// Withdraw an invitation
///
/// Only an open one can be withdrawn, so this needs no `If-Match`.
#[utoipa::path(
    delete, path = "/v1/invitations/{invitation_id}", tag = "invitations",
    params(("invitation_id" = InvitationId, Path, description = "The invitation")),
    responses((status = 204, description = "Withdrawn")),
)]
async fn invitation_delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<InvitationId>,
) -> Answer<StatusCode> {
    api.control.invitation_delete(&caller.context, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Accept an invitation
///
/// With the member's administrator key, which signs the SHA-256 of `len(tag) tag invitation=…⏎
/// consortium=…⏎ tenant=…⏎ member=…⏎ administrator_key=…⏎` with the tag
/// `hansa/invitation-accept/v1`.
#[utoipa::path(
    post, path = "/v1/invitations/{invitation_id}/accept", tag = "invitations",
    params(("invitation_id" = InvitationId, Path, description = "The invitation")),
    request_body = InvitationAccept,
    responses((status = 200, description = "The accepted invitation", body = Invitation)),
)]
async fn invitation_accept(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<InvitationId>,
    body: Body<InvitationAccept>,
) -> Answer<Tagged<Invitation>> {
    let Body { value, repeat } = body;
    Ok(Tagged(api.control.invitation_accept(&caller.context, id, &value, repeat).await?))
}

/// Decline an invitation
#[utoipa::path(
    post, path = "/v1/invitations/{invitation_id}/decline", tag = "invitations",
    params(("invitation_id" = InvitationId, Path, description = "The invitation")),
    request_body = NoParameters,
    responses((status = 200, description = "The declined invitation", body = Invitation)),
)]
async fn invitation_decline(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<InvitationId>,
    body: Body<NoParameters>,
) -> Answer<Tagged<Invitation>> {
    Ok(Tagged(api.control.invitation_decline(&caller.context, id, body.repeat).await?))
}
