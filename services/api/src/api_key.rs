//! API keys of the caller's tenant.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use hansa_core::ApiKeyId;
use hansa_types::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyList};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Answer, created},
    extract::{Body, Caller, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(api_key_create, api_key_list))
        .routes(routes!(api_key_get, api_key_delete))
}

/// Make an API key
///
/// The answer holds the key's secret, this once. The answer to a repeated request does not.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "api-keys",
    request_body = ApiKeyCreate,
    responses((status = 201, description = "The key with its secret", body = ApiKeyCreated)),
)]
async fn api_key_create(
    State(api): State<Api>,
    caller: Caller,
    body: Body<ApiKeyCreate>,
) -> Answer<Response> {
    let value = api.control.api_key_create(&caller.context, &body.value, body.repeat).await?;
    Ok(created(&format!("/v1/api-keys/{}", value.key.id), &value))
}

/// List API keys
#[utoipa::path(
    get, path = "/v1/api-keys", tag = "api-keys", params(PageParams),
    responses((status = 200, description = "A page of keys in force", body = ApiKeyList)),
)]
async fn api_key_list(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<PageParams>,
) -> Answer<Json<ApiKeyList>> {
    Ok(Json(api.control.api_key_list(&caller.context, &page.into()).await?))
}

/// Read an API key
#[utoipa::path(
    get, path = "/v1/api-keys/{api_key_id}", tag = "api-keys",
    params(("api_key_id" = ApiKeyId, Path, description = "The key")),
    responses((status = 200, description = "The key without its secret", body = ApiKey)),
)]
async fn api_key_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ApiKeyId>,
) -> Answer<Json<ApiKey>> {
    Ok(Json(api.control.api_key_get(&caller.context, id).await?))
}

/// End an API key
///
/// The next request with it is refused. Keys never change, so this needs no `If-Match`.
#[utoipa::path(
    delete, path = "/v1/api-keys/{api_key_id}", tag = "api-keys",
    params(("api_key_id" = ApiKeyId, Path, description = "The key")),
    responses((status = 204, description = "Ended")),
)]
async fn api_key_delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ApiKeyId>,
) -> Answer<StatusCode> {
    api.control.api_key_delete(&caller.context, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
