//! Who is calling.

use axum::Json;
use hansa_types::Me;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{answer::Answer, extract::Caller, server::Api};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(me_get))
}

/// Who am I
#[utoipa::path(
    get, path = "/v1/me", tag = "sessions",
    responses((status = 200, description = "The caller, its tenant and its role", body = Me)),
)]
async fn me_get(caller: Caller) -> Answer<Json<Me>> {
    Ok(Json(caller.me))
}
