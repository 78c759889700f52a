//! How far transactions have come.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use ledger_types::{Digest, Outcome};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Answer, Request, Shared,
    openapi::example,
    problem::{Code, Problem},
};
use crate::commit::Found;

/// Longest wait for a transaction.
const WAIT_MS_MAX: u64 = 30_000;
const WAIT_MS_DEFAULT: u64 = 10_000;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(transaction_get))
}

pub(super) const PROBLEMS: [(&str, &[Code]); 1] = [(
    "transaction_get",
    &[Code::InvalidId, Code::InvalidQuery, Code::TransactionNotFound, Code::Busy],
)];

/// What a client waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// The node has taken it.
    #[default]
    None,
    /// Its place in the order is final.
    Committed,
    /// This node has its result.
    Executed,
    /// A certified header covers its result.
    Certified,
}

/// How far a transaction has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// Waits to be ordered.
    Accepted,
    /// In a decided block.
    Committed {
        /// The block.
        height: u64,
    },
    /// Has its outcome.
    Executed {
        /// The block.
        height: u64,
        /// What became of it.
        outcome: Outcome,
    },
}

/// Whether to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitOptions {
    /// How far a transaction must have come before the answer, if it does in time.
    #[serde(default)]
    #[param(inline, example = "executed")]
    pub(super) wait: Wait,
    /// How long to wait at most, 30,000 at most.
    #[serde(default = "default_wait_ms")]
    #[param(maximum = 30_000, example = 10_000)]
    timeout_ms: u64,
}

fn default_wait_ms() -> u64 {
    WAIT_MS_DEFAULT
}

impl WaitOptions {
    pub(super) fn read(options: Result<Query<Self>, QueryRejection>) -> Answer<Self> {
        let options = options.map_err(|error| Problem::new(Code::InvalidQuery, error.body_text()));
        options.map(|Query(options)| options)
    }

    pub(super) fn until(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.timeout_ms.min(WAIT_MS_MAX))
    }
}

/// One transaction and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransactionView {
    /// Its id.
    pub(super) transaction: Digest,
    #[serde(flatten)]
    pub(super) progress: Progress,
}

/// An id from an address.
pub(super) fn transaction_id(text: &str) -> Answer<Digest> {
    text.parse()
        .map_err(|_| Problem::new(Code::InvalidId, "a transaction's id is 64 hexadecimal digits"))
}

/// Read how far a transaction has come
///
/// `accepted` while it waits on this node, `committed` once its place is final, `executed` with its
/// outcome. With `wait` the answer comes when it has come so far or time is up, whichever is first;
/// one that this node has not heard of may still come by another node. Outcomes are kept for
/// 100,000 blocks; an older transaction stays `committed`.
#[utoipa::path(
    get, path = "/v1/transactions/{transaction_id}", tag = "transactions",
    params(
        ("transaction_id" = String, Path, description = "64 hexadecimal digits"),
        WaitOptions,
    ),
    responses((status = 200, description = "How far it has come", body = TransactionView,
        example = json!(example::executed()))),
)]
async fn transaction_get(
    State(shared): State<Shared>,
    Path(transaction): Path<String>,
    options: Result<Query<WaitOptions>, QueryRejection>,
) -> Answer<Json<TransactionView>> {
    let id = transaction_id(&transaction)?;
    let options = WaitOptions::read(options)?;
    let progress = match progress(&shared, id, &options).await? {
        Some(progress) => progress,
        None => {
            let text = format!("transaction {id} neither waits here nor is it in a block");
            return Err(Problem::new(Code::TransactionNotFound, text));
        }
    };
    Ok(Json(TransactionView { transaction: id, progress }))
}

async fn progress(shared: &Shared, id: Digest, options: &WaitOptions) -> Answer<Option<Progress>> {
    let until = options.until();
    // Whoever waits is noted before the first look: what happens in between is not missed.
    let told = match options.wait {
        Wait::None => None,
        wait => Some(
            shared
                .ask(|answer| Request::Watch(id, wait, answer))
                .await?
                .ok_or_else(|| Problem::new(Code::Busy, "too many clients wait; try again"))?,
        ),
    };
    let found: Found = shared.look_up(|answer| Request::Find(id, answer)).await?;
    let Some(told) = told.filter(|_| !found.has_come_to(options.wait)) else {
        return Ok(found.progress);
    };
    match timeout_at(until, told).await {
        Ok(Ok(progress)) => Ok(Some(progress)),
        // Time is up, or the node stops: how far it has come by now.
        Ok(Err(_)) | Err(_) => {
            Ok(shared.look_up(|answer| Request::Find(id, answer)).await?.progress)
        }
    }
}
