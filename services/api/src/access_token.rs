//! Short-lived bearer tokens.

use axum::{Json, extract::State, http::StatusCode};
use hansa_types::AccessToken;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{answer::Answer, extract::Caller, server::Api};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(access_token_create))
}

/// Get an access token
///
/// A signed token for ten minutes with the caller's role, for programs that should not carry the
/// long-lived credential. It ends with the session or API key that it was made from.
#[utoipa::path(
    post, path = "/v1/access-tokens", tag = "sessions",
    responses((status = 201, description = "The token", body = AccessToken)),
)]
async fn access_token_create(
    State(api): State<Api>,
    caller: Caller,
) -> Answer<(StatusCode, Json<AccessToken>)> {
    let token = api.control.access_token_create(&caller.context, caller.credential).await?;
    Ok((StatusCode::CREATED, Json(token)))
}
