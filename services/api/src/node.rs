//! Ledger nodes.

use axum::{Json, extract::State};
use hansa_core::{LedgerId, NodeId, Rule, limits};
use hansa_types::{NoParameters, Node, NodeCreate, NodeList, NodeResize, Operation};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Accepted, Answer, Tagged},
    error::ApiError,
    extract::{Body, Caller, IfMatch, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(node_create, node_list))
        .routes(routes!(node_get, node_delete))
        .routes(routes!(node_start))
        .routes(routes!(node_stop))
        .routes(routes!(node_restart))
        .routes(routes!(node_resize))
        .routes(routes!(node_logs))
}

/// Add a node
///
/// It belongs to the caller's member. The answer says that it is recorded; follow the operation.
#[utoipa::path(
    post, path = "/v1/ledgers/{ledger_id}/nodes", tag = "nodes",
    params(("ledger_id" = LedgerId, Path, description = "The ledger")),
    request_body = NodeCreate,
    responses((status = 202, description = "The operation that makes it", body = Operation)),
)]
async fn node_create(
    State(api): State<Api>,
    caller: Caller,
    Path(ledger): Path<LedgerId>,
    body: Body<NodeCreate>,
) -> Answer<Accepted> {
    let Body { value, repeat } = body;
    Ok(Accepted(api.control.node_create(&caller.context, ledger, &value, repeat).await?))
}

/// List a ledger's nodes
///
/// Of all members. Where a node runs is shown to its own member only.
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger_id}/nodes", tag = "nodes",
    params(("ledger_id" = LedgerId, Path, description = "The ledger"), PageParams),
    responses((status = 200, description = "A page of nodes", body = NodeList)),
)]
async fn node_list(
    State(api): State<Api>,
    caller: Caller,
    Path(ledger): Path<LedgerId>,
    Query(page): Query<PageParams>,
) -> Answer<Json<NodeList>> {
    Ok(Json(api.control.node_list(&caller.context, ledger, &page.into()).await?))
}

/// Read a node
#[utoipa::path(
    get, path = "/v1/nodes/{node_id}", tag = "nodes",
    params(("node_id" = NodeId, Path, description = "The node")),
    responses((status = 200, description = "The node", body = Node)),
)]
async fn node_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<NodeId>,
) -> Answer<Tagged<Node>> {
    Ok(Tagged(api.control.node_get(&caller.context, id).await?))
}

/// How much of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Lines {
    /// How many of the last lines, 1 to 1000; 100 unless given.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    lines: Option<u16>,
}

/// Read the log of a node of the own member
#[utoipa::path(
    get, path = "/v1/nodes/{node_id}/logs", tag = "nodes",
    params(("node_id" = NodeId, Path, description = "The node"), Lines),
    responses(
        (status = 200, description = "The last lines", body = String, content_type = "text/plain"),
    ),
)]
async fn node_logs(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<NodeId>,
    Query(Lines { lines }): Query<Lines>,
) -> Answer<String> {
    let lines = lines.unwrap_or(limits::LOG_LINES_DEFAULT);
    if !(1..=limits::LOG_LINES_MAX).contains(&lines) {
        return Err(ApiError::invalid("lines", Rule::Range, "must be 1 to 1000"));
    }
    Ok(api.control.node_logs(&caller.context, id, lines).await?)
}

/// End a node
#[utoipa::path(
    delete, path = "/v1/nodes/{node_id}", tag = "nodes",
    params(
        ("node_id" = NodeId, Path, description = "The node"),
        ("If-Match" = String, Header, description = "The ETag that the end is meant for"),
    ),
    responses((status = 202, description = "The operation that ends it", body = Operation)),
)]
async fn node_delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<NodeId>,
    IfMatch(expected): IfMatch,
) -> Answer<Accepted> {
    Ok(Accepted(api.control.node_delete(&caller.context, id, expected).await?))
}

/// Start a node
#[utoipa::path(
    post, path = "/v1/nodes/{node_id}/start", tag = "nodes",
    params(("node_id" = NodeId, Path, description = "The node")),
    request_body = NoParameters,
    responses((status = 202, description = "The operation that starts it", body = Operation)),
)]
async fn node_start(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<NodeId>,
    body: Body<NoParameters>,
) -> Answer<Accepted> {
    Ok(Accepted(api.control.node_start(&caller.context, id, body.repeat).await?))
}

/// Stop a node
#[utoipa::path(
    post, path = "/v1/nodes/{node_id}/stop", tag = "nodes",
    params(("node_id" = NodeId, Path, description = "The node")),
    request_body = NoParameters,
    responses((status = 202, description = "The operation that stops it", body = Operation)),
)]
async fn node_stop(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<NodeId>,
    body: Body<NoParameters>,
) -> Answer<Accepted> {
    Ok(Accepted(api.control.node_stop(&caller.context, id, body.repeat).await?))
}

/// Restart a node
#[utoipa::path(
    post, path = "/v1/nodes/{node_id}/restart", tag = "nodes",
    params(("node_id" = NodeId, Path, description = "The node")),
    request_body = NoParameters,
    responses((status = 202, description = "The operation that restarts it", body = Operation)),
)]
async fn node_restart(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<NodeId>,
    body: Body<NoParameters>,
) -> Answer<Accepted> {
    Ok(Accepted(api.control.node_restart(&caller.context, id, body.repeat).await?))
}

/// Give a node another size
///
/// Of a node in a cluster. Its pod starts anew as soon as its ledger can do without it; a volume grows as
/// far as its storage class lets it, and never shrinks.
#[utoipa::path(
    post, path = "/v1/nodes/{node_id}/resize", tag = "nodes",
    params(("node_id" = NodeId, Path, description = "The node")),
    request_body = NodeResize,
    responses((status = 202, description = "The operation that resizes it", body = Operation)),
)]
async fn node_resize(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<NodeId>,
    body: Body<NodeResize>,
) -> Answer<Accepted> {
    let Body { value, repeat } = body;
    Ok(Accepted(api.control.node_resize(&caller.context, id, &value, repeat).await?))
}
