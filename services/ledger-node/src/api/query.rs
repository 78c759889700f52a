//! Reading rows, now or as they were.

use std::{path::Path, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, Uri},
};
use ledger_state::{PastError, PastViews, QueryError, QueryLimits, Reader, Rows};
use ledger_types::{PublicKey, Roles, Value};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Answer, Shared,
    body::Body,
    openapi::example,
    problem::{Code, Problem},
    signer::signer,
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(query))
}

pub(super) const PROBLEMS: [(&str, &[Code]); 1] = [(
    "query",
    &[
        Code::InvalidBody,
        Code::InvalidSql,
        Code::QueryTooLong,
        Code::Unauthenticated,
        Code::Forbidden,
        Code::ReadOnly,
        Code::HeightNotReached,
        Code::HeightNotKept,
        Code::StateTooLarge,
        Code::BodyTooLarge,
        Code::BodyTooSlow,
    ],
)];

/// One statement that reads.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QueryBody {
    /// A single SELECT, WITH, VALUES or EXPLAIN.
    sql: String,
    /// Values of `?1`, `?2` and so on.
    #[serde(default)]
    parameters: Vec<Value>,
    /// Answer as of this executed height; the newest without it. `kept_heights` of `/v1/status` is
    /// the range.
    #[serde(default)]
    height: Option<u64>,
}

/// A query's rows.
#[derive(Debug, Serialize, ToSchema)]
struct QueryAnswer {
    /// Names of the columns.
    columns: Vec<String>,
    /// Values in order of the columns; at most 10,000 rows and 8 MiB.
    rows: Vec<Vec<Value>>,
    /// The executed height that the answer is of.
    height: u64,
    /// Whether rows were left out because of a limit.
    truncated: bool,
}

/// Query
///
/// Runs one statement that reads, under the roles that the request token's key has now, also for a
/// past height. A past height answers with the rows of exactly that height while it is kept: at
/// most 1,000 heights back, and not before the last change of the schema.
#[utoipa::path(
    post, path = "/v1/query", tag = "queries", security(("request_token" = [])),
    request_body(content = QueryBody, example = json!(example::query())),
    responses((status = 200, description = "The rows", body = QueryAnswer,
        example = json!(example::rows()))),
)]
async fn query(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<QueryAnswer>> {
    let token = signer(&shared, &uri, &headers, &body.bytes)?;
    let asked: QueryBody = serde_json::from_slice(&body.bytes)
        .map_err(|error| Problem::new(Code::InvalidBody, error.to_string()))?;
    drop(body);
    let gate = if asked.height.is_some() { &shared.past_queries } else { &shared.queries };
    let _permit = gate.acquire().await.map_err(|_| Problem::stopping())?;
    let (path, past) = (shared.state.clone(), shared.past.clone());
    let answered =
        tokio::task::spawn_blocking(move || answer(&path, &past, &token.key, &asked)).await;
    let rows = answered.map_err(|error| Problem::internal("the query", &error))??;
    let Rows { columns, rows, height, truncated } = rows;
    Ok(Json(QueryAnswer { columns, rows, height, truncated }))
}

fn answer(path: &Path, past: &Arc<PastViews>, key: &PublicKey, asked: &QueryBody) -> Answer<Rows> {
    let failed = |error| problem(QueryError::State(error));
    let mut head = Reader::open(path).map_err(failed)?;
    // What a key may read is decided by what it may read now: a role that was taken away opens no
    // past either.
    let roles = head.roles(key).map_err(failed)?.map_or(Roles::NONE, |(_, roles)| roles);
    if !roles.contains(Roles::READ) {
        return Err(Problem::new(Code::Forbidden, "the key lacks the role read"));
    }
    let QueryBody { sql, parameters, height } = asked;
    let limits = QueryLimits::default();
    let Some(height) = *height else {
        return head.query(sql, parameters, limits).map_err(problem);
    };
    if let Some(rows) = head.query_if_at(height, sql, parameters, limits).map_err(problem)? {
        return Ok(rows);
    }
    let mut view = past.at(height).map_err(no_view)?;
    view.query(sql, parameters, limits).map_err(problem)
}

fn no_view(error: PastError) -> Problem {
    let text = error.to_string();
    match error {
        PastError::NotKept { .. } => Problem::new(Code::HeightNotKept, text),
        PastError::NotReached { .. } => Problem::new(Code::HeightNotReached, text),
        PastError::TooLarge => Problem::new(Code::StateTooLarge, text),
        PastError::State(error) => Problem::internal("the view of the past", &error),
    }
}

fn problem(error: QueryError) -> Problem {
    match error {
        QueryError::Query(text) => Problem::new(Code::InvalidSql, text),
        QueryError::NotPermitted(text) => Problem::new(Code::ReadOnly, text),
        error @ QueryError::TooLong(_) => Problem::new(Code::QueryTooLong, error.to_string()),
        QueryError::State(error) => Problem::internal("the query", &error),
    }
}
