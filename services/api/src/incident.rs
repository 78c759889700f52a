//! Incidents of a ledger.

use axum::{Json, extract::State};
use hansa_core::LedgerId;
use hansa_types::IncidentList;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Answer,
    extract::{Caller, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(incident_list))
}

/// List a ledger's incidents
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger_id}/incidents", tag = "ledgers",
    params(("ledger_id" = LedgerId, Path, description = "The ledger"), PageParams),
    responses((status = 200, description = "A page of incidents", body = IncidentList)),
)]
async fn incident_list(
    State(api): State<Api>,
    caller: Caller,
    Path(ledger): Path<LedgerId>,
    Query(page): Query<PageParams>,
) -> Answer<Json<IncidentList>> {
    Ok(Json(api.control.incident_list(&caller.context, ledger, &page.into()).await?))
}
