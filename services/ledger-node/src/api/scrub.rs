//! Reading everything on disk on demand.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, Uri},
};
use ledger_state::Reader;
use ledger_types::Roles;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Answer, Request, Shared,
    body::Body,
    problem::{Code, Problem},
    signer::signer,
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(scrub))
}

pub(super) const PROBLEMS: [(&str, &[Code]); 1] =
    [("scrub", &[Code::Unauthenticated, Code::Forbidden, Code::BodyTooLarge, Code::BodyTooSlow])];

/// What a scrub has found.
#[derive(Debug, Serialize, ToSchema)]
struct ScrubView {
    /// How much is wrong that was not known before.
    found: usize,
}

/// Scrub now
///
/// Reads every block and every row on disk once and compares them with what was certified. It takes
/// the disk's time, so the request token's key needs the role admin.
#[utoipa::path(
    post, path = "/v1/scrub", tag = "node", security(("request_token" = [])),
    responses((status = 200, description = "Everything was read", body = ScrubView,
        example = json!({ "found": 0 }))),
)]
async fn scrub(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<ScrubView>> {
    let key = signer(&shared, &uri, &headers, &body.bytes)?.key;
    let _permit = shared.queries.acquire().await.map_err(|_| Problem::stopping())?;
    let path = shared.state.clone();
    let failed = |error: &dyn std::fmt::Display| Problem::internal("looking up the key", error);
    let roles = tokio::task::spawn_blocking(move || Reader::open(&path)?.roles(&key));
    let roles = roles.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    if !roles.is_some_and(|(_, roles)| roles.contains(Roles::ADMIN)) {
        return Err(Problem::new(Code::Forbidden, "the key lacks the role admin"));
    }
    Ok(Json(ScrubView { found: shared.ask(Request::Patrol).await? }))
}
