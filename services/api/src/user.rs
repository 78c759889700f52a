//! Users of the caller's tenant.

use axum::{Json, extract::State};
use hansa_core::UserId;
use hansa_types::{User, UserCreate, UserList, UserUpdate};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Answer, Created, Tagged},
    extract::{Body, Caller, IfMatch, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(user_create, user_list)).routes(routes!(
        user_get,
        user_update,
        user_delete
    ))
}

/// Make a user
#[utoipa::path(
    post, path = "/v1/users", tag = "users",
    request_body = UserCreate,
    responses((status = 201, description = "The user", body = User)),
)]
async fn user_create(
    State(api): State<Api>,
    caller: Caller,
    body: Body<UserCreate>,
) -> Answer<Created<User>> {
    let value = api.control.user_create(&caller.context, &body.value, body.repeat).await?;
    Ok(Created { location: format!("/v1/users/{}", value.id), value })
}

/// List users
#[utoipa::path(
    get, path = "/v1/users", tag = "users", params(PageParams),
    responses((status = 200, description = "A page of users", body = UserList)),
)]
async fn user_list(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<PageParams>,
) -> Answer<Json<UserList>> {
    Ok(Json(api.control.user_list(&caller.context, &page.into()).await?))
}

/// Read a user
#[utoipa::path(
    get, path = "/v1/users/{user_id}", tag = "users",
    params(("user_id" = UserId, Path, description = "The user")),
    responses((status = 200, description = "The user", body = User)),
)]
async fn user_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<UserId>,
) -> Answer<Tagged<User>> {
    Ok(Tagged(api.control.user_get(&caller.context, id).await?))
}

/// Change a user
///
/// A new password, a new role or a disabled account ends the user's sessions at once.
#[utoipa::path(
    patch, path = "/v1/users/{user_id}", tag = "users",
    params(
        ("user_id" = UserId, Path, description = "The user"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body = UserUpdate,
    responses((status = 200, description = "The changed user", body = User)),
)]
async fn user_update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<UserId>,
    IfMatch(expected): IfMatch,
    body: Body<UserUpdate>,
) -> Answer<Tagged<User>> {
    Ok(Tagged(api.control.user_update(&caller.context, id, expected, &body.value).await?))
}

/// Remove a user
///
/// The user's sessions and the API keys that the user made end at once. Nobody removes the own
/// account, or the last administrator.
#[utoipa::path(
    delete, path = "/v1/users/{user_id}", tag = "users",
    params(
        ("user_id" = UserId, Path, description = "The user"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    responses((status = 204, description = "Removed")),
)]
async fn user_delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<UserId>,
    IfMatch(expected): IfMatch,
) -> Answer<StatusCode> {
    api.control.user_delete(&caller.context, id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
