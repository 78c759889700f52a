//! What the node found wrong.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Request, Shared, openapi::example};
use crate::incident::Incident;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(incident_list))
}

/// What the node found wrong.
#[derive(Debug, Serialize, ToSchema)]
struct IncidentList {
    /// Newest first, the last 256.
    incidents: Vec<Incident>,
}

/// List incidents
///
/// Corrupt blocks, edited rows and proven fraud, open ones and those that are put right.
#[utoipa::path(
    get, path = "/v1/incidents", tag = "node",
    responses((status = 200, description = "The incidents", body = IncidentList,
        example = json!({ "incidents": [example::incident()] }))),
)]
async fn incident_list(State(shared): State<Shared>) -> Answer<Json<IncidentList>> {
    Ok(Json(IncidentList { incidents: shared.ask(Request::Incidents).await? }))
}
