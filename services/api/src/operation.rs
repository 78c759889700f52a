//! Operations.

use axum::{Json, extract::State};
use hansa_control::PageQuery;
use hansa_core::{OperationId, PageSize};
use hansa_types::{NoParameters, Operation, OperationList, OperationState};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Answer, Tagged},
    extract::{Body, Caller, Path, Query, Wait},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(operation_list))
        .routes(routes!(operation_get))
        .routes(routes!(operation_cancel))
}

/// Which operations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OperationFilter {
    /// Only those in this state.
    state: Option<OperationState>,
    /// How many items, 1 to 200; 50 unless given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, example = 50)]
    page_size: Option<PageSize>,
    /// `next_page_token` of the page before; leave it out for the first page.
    page_token: Option<String>,
}

/// List operations
#[utoipa::path(
    get, path = "/v1/operations", tag = "operations", params(OperationFilter),
    responses((status = 200, description = "A page of operations", body = OperationList)),
)]
async fn operation_list(
    State(api): State<Api>,
    caller: Caller,
    Query(filter): Query<OperationFilter>,
) -> Answer<Json<OperationList>> {
    let OperationFilter { state, page_size, page_token } = filter;
    let page = PageQuery { size: page_size.unwrap_or_default(), token: page_token };
    Ok(Json(api.control.operation_list(&caller.context, state, &page).await?))
}

/// Read an operation
///
/// With `wait`, once it has ended.
#[utoipa::path(
    get, path = "/v1/operations/{operation_id}", tag = "operations",
    params(("operation_id" = OperationId, Path, description = "The operation"), Wait),
    responses((status = 200, description = "The operation", body = Operation)),
)]
async fn operation_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<OperationId>,
    Query(wait): Query<Wait>,
) -> Answer<Tagged<Operation>> {
    Ok(Tagged(api.control.operation_get(&caller.context, id, wait.time()).await?))
}

/// Cancel an operation
///
/// One that nobody works on ends at once; otherwise it ends at its next step, or finishes first.
#[utoipa::path(
    post, path = "/v1/operations/{operation_id}/cancel", tag = "operations",
    params(("operation_id" = OperationId, Path, description = "The operation")),
    responses((status = 200, description = "The operation", body = Operation)),
)]
async fn operation_cancel(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<OperationId>,
    body: Body<NoParameters>,
) -> Answer<Tagged<Operation>> {
    Ok(Tagged(api.control.operation_cancel(&caller.context, id, body.repeat).await?))
}
