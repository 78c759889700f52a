//! Tenants, for the operator of the platform.

use axum::{Json, extract::State};
use hansa_core::TenantId;
use hansa_types::{Tenant, TenantCreate, TenantList};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Answer, Created, Tagged},
    extract::{Body, Caller, IfMatch, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(tenant_create, tenant_list))
        .routes(routes!(tenant_get, tenant_delete))
}

/// Make a tenant
///
/// With its first administrator. Only for the operator of the platform.
#[utoipa::path(
    post, path = "/v1/tenants", tag = "tenants",
    request_body = TenantCreate,
    responses((status = 201, description = "The tenant", body = Tenant)),
)]
async fn tenant_create(
    State(api): State<Api>,
    caller: Caller,
    body: Body<TenantCreate>,
) -> Answer<Created<Tenant>> {
    let value = api.control.tenant_create(&caller.context, &body.value, body.repeat).await?;
    Ok(Created { location: format!("/v1/tenants/{}", value.id), value })
}

/// List tenants
#[utoipa::path(
    get, path = "/v1/tenants", tag = "tenants", params(PageParams),
    responses((status = 200, description = "A page of tenants", body = TenantList)),
)]
async fn tenant_list(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<PageParams>,
) -> Answer<Json<TenantList>> {
    Ok(Json(api.control.tenant_list(&caller.context, &page.into()).await?))
}

/// Read a tenant
#[utoipa::path(
    get, path = "/v1/tenants/{tenant_id}", tag = "tenants",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    responses((status = 200, description = "The tenant", body = Tenant)),
)]
async fn tenant_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<TenantId>,
) -> Answer<Tagged<Tenant>> {
    Ok(Tagged(api.control.tenant_get(&caller.context, id).await?))
}

/// End a tenant
///
/// Its credentials stop working at once and its name is free again. Refused while it has a seat in
/// a consortium that has not ended. Only for the operator of the platform.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant_id}", tag = "tenants",
    params(
        ("tenant_id" = TenantId, Path, description = "The tenant"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    responses((status = 204, description = "Ended")),
)]
async fn tenant_delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<TenantId>,
    IfMatch(expected): IfMatch,
) -> Answer<StatusCode> {
    api.control.tenant_delete(&caller.context, id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
