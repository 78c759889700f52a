//! The audit trail.

use axum::{Json, extract::State};
use hansa_types::AuditEventList;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Answer,
    extract::{Caller, PageParams, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(audit_event_list))
}

/// List the audit trail
///
/// Of the caller's tenant, newest first. Each entry's hash covers the one before.
#[utoipa::path(
    get, path = "/v1/audit-events", tag = "audit-events", params(PageParams),
    responses((status = 200, description = "A page of entries", body = AuditEventList)),
)]
async fn audit_event_list(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<PageParams>,
) -> Answer<Json<AuditEventList>> {
    Ok(Json(api.control.audit_event_list(&caller.context, &page.into()).await?))
}
