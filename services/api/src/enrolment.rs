//! Where nodes get their identity. Not part of the public API: `hansa_types::enrolment` says how
//! the two sides talk.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hansa_core::{Error, NodeId, RequestId, Secret, TenantId};
use hansa_types::enrolment::{Enrolled, EnrolmentRequest};
use http::{HeaderMap, StatusCode, Uri, header};

use crate::{
    answer::Answer,
    error::ApiError,
    extract::{Body, Path, Query, Wait},
    server::Api,
};

pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/enrolment/v1/nodes", post(node_enrol))
        .route("/enrolment/v1/nodes/{tenant_id}/{node_id}/genesis", get(node_genesis))
}

fn authorization<'h>(headers: &'h HeaderMap, scheme: &str) -> Result<&'h str, ApiError> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let value = value.ok_or(Error::Unauthenticated)?;
    let (found, _) = value.split_once(' ').ok_or(Error::Unauthenticated)?;
    if found.eq_ignore_ascii_case(scheme) { Ok(value) } else { Err(Error::Unauthenticated.into()) }
}

/// Gives a node its identity for a one-time token.
async fn node_enrol(
    State(api): State<Api>,
    axum::Extension(request): axum::Extension<RequestId>,
    headers: HeaderMap,
    body: Body<EnrolmentRequest>,
) -> Answer<Json<Enrolled>> {
    let value = authorization(&headers, "bearer")?;
    let token = value.split_once(' ').map(|(_, token)| token.trim()).unwrap_or_default();
    let token = Secret::from(token.to_owned());
    Ok(Json(api.control.node_enrol(request, &token, &body.value).await?))
}

/// The genesis, or 204 when it is not published in time.
async fn node_genesis(
    State(api): State<Api>,
    axum::Extension(request): axum::Extension<RequestId>,
    uri: Uri,
    headers: HeaderMap,
    Path((tenant, node)): Path<(TenantId, NodeId)>,
    Query(wait): Query<Wait>,
) -> Answer<Response> {
    let token = authorization(&headers, "hansa")?;
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let wait = wait.time().unwrap_or_default();
    let genesis = api.control.node_genesis(request, tenant, node, token, target, wait).await?;
    Ok(match genesis {
        Some(genesis) => Json(genesis).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
