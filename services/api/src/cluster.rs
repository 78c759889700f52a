//! Clusters that nodes can run in.

use axum::{Json, extract::State};
use hansa_core::ClusterId;
use hansa_types::{Cluster, ClusterCreate, ClusterList, ClusterUpdate};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{Answer, Created, Tagged},
    extract::{Body, Caller, IfMatch, PageParams, Path, Query},
    server::Api,
};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(cluster_create, cluster_list)).routes(routes!(
        cluster_get,
        cluster_update,
        cluster_delete
    ))
}

/// Register a cluster
///
/// Nodes can run in it from then on. The answer does not wait for the cluster: `phase` and `report`
/// say what was found in it. The vault keeps a kubeconfig; no call returns it. Only for the operator
/// of the platform.
#[utoipa::path(
    post, path = "/v1/clusters", tag = "clusters",
    request_body = ClusterCreate,
    responses((status = 201, description = "The cluster", body = Cluster)),
)]
async fn cluster_create(
    State(api): State<Api>,
    caller: Caller,
    body: Body<ClusterCreate>,
) -> Answer<Created<Cluster>> {
    let value = api.control.cluster_create(&caller.context, &body.value, body.repeat).await?;
    Ok(Created { location: format!("/v1/clusters/{}", value.id), value })
}

/// List clusters
///
/// The operator of the platform sees all of them; tenants see what they need to choose one.
#[utoipa::path(
    get, path = "/v1/clusters", tag = "clusters", params(PageParams),
    responses((status = 200, description = "A page of clusters", body = ClusterList)),
)]
async fn cluster_list(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<PageParams>,
) -> Answer<Json<ClusterList>> {
    Ok(Json(api.control.cluster_list(&caller.context, &page.into()).await?))
}

/// Read a cluster
#[utoipa::path(
    get, path = "/v1/clusters/{cluster_id}", tag = "clusters",
    params(("cluster_id" = ClusterId, Path, description = "The cluster")),
    responses((status = 200, description = "The cluster", body = Cluster)),
)]
async fn cluster_get(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ClusterId>,
) -> Answer<Tagged<Cluster>> {
    Ok(Tagged(api.control.cluster_get(&caller.context, id).await?))
}

/// Change a cluster
///
/// How it is reached, or how nodes run there: pods take a change up with their next start. Only for
/// the operator of the platform.
#[utoipa::path(
    patch, path = "/v1/clusters/{cluster_id}", tag = "clusters",
    request_body = ClusterUpdate,
    params(
        ("cluster_id" = ClusterId, Path, description = "The cluster"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    responses((status = 200, description = "The cluster", body = Cluster)),
)]
async fn cluster_update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ClusterId>,
    IfMatch(expected): IfMatch,
    body: Body<ClusterUpdate>,
) -> Answer<Tagged<Cluster>> {
    let changed = api.control.cluster_update(&caller.context, id, expected, &body.value).await?;
    Ok(Tagged(changed))
}

/// Take a cluster out of the installation
///
/// Refused while it has nodes. Only for the operator of the platform.
#[utoipa::path(
    delete, path = "/v1/clusters/{cluster_id}", tag = "clusters",
    params(
        ("cluster_id" = ClusterId, Path, description = "The cluster"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    responses((status = 204, description = "It is no more part of it")),
)]
async fn cluster_delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<ClusterId>,
    IfMatch(expected): IfMatch,
) -> Answer<StatusCode> {
    api.control.cluster_delete(&caller.context, id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
